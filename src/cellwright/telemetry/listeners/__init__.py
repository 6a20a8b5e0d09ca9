"""Listeners, one a file; each is an entry point `cellwright.listeners`."""
