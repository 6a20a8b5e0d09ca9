"""Hard constraints, one dimension a file."""
