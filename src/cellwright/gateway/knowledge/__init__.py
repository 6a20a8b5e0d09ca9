"""Retrieval where the knowledge is: collections of passages at a site, searched there."""
