"""The edge filter: raw records in requests become digests before anything leaves."""
