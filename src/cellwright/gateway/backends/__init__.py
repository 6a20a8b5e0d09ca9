"""Inference backends, one file each."""
