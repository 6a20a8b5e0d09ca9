"""Stores of collections, one file each."""
