"""Sweeps: many runs of one function over a search space, each tracked, the best one found."""
