"""Tables of every library as Arrow, and the signatures that say what a model takes."""
