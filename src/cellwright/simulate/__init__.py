"""Simulator: a 5G network with labelled faults that writes telemetry in its real formats."""
