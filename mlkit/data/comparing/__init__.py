"""What changed between tables, what they share, and how one is split."""
