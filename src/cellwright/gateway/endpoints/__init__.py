"""What clients may ask for, one file an endpoint."""
