"""Estate: YAML documents become a frozen Estate, or every problem with its place."""
