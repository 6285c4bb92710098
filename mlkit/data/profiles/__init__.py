"""What a table holds, in figures: sketches of its columns, and how far they moved."""
