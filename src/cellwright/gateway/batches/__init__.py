"""Requests that may wait: files of them, kept in a bounded durable queue and answered when backends can be reached."""
