"""The composition root: opens a URL and hands each room below what it needs."""
