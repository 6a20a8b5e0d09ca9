"""Wiring: the composition root, the only place that knows every room."""
