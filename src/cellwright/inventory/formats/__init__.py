"""One inventory a file; each reaches the program as an entry point of `cellwright.inventories`."""
