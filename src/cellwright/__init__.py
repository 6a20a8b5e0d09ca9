"""Cellwright: the open control plane of a telco AI factory."""

__version__ = "0.1.0"
