"""Queries: filters over runs, tables of runs, comparison, and the graph of what came from what."""
