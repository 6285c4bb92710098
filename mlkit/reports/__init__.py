"""Pages made of what the rooms below return."""
