"""Telemetry: raw vendor files become clean facts; what cannot be read is quarantined."""
