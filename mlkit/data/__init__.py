"""Data: datasets, their immutable versions, and the identity of what these hold."""
