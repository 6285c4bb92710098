"""Where a run came from: its code, its packages, its machine."""
