"""Telemetry formats, one file each."""
