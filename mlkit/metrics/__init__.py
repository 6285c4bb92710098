"""Segments of a run's events: framing, the writer at the log call's speed, the reader."""
