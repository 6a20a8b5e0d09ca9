"""Command line: thin commands over wiring."""

from cellwright.cli.main import main

__all__ = ["main"]
