"""Digest: records become incidents, incidents become digests within a token budget."""
