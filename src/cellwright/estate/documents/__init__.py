"""What a user may write: one pydantic model for each kind of document, which builds its frozen type."""
