"""The command line: looks into a store, checks it, and sends what waits for it."""
