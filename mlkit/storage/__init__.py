"""Bytes at a URL: local disk, memory, and any filesystem that fsspec reaches."""
