"""The index of runs: finished ones folded into tables, and a view of those and all others."""
