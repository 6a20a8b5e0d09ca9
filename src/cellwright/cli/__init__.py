"""Command line: thin commands over wiring."""
