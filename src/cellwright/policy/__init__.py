"""Policy: may this data cross this boundary, and if not, why."""
