"""Models: immutable versions with signature and environment, aliases with history, safe loading."""
