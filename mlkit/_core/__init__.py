"""The ground floor: codec, ids, clock, hashing, names, plugins, settings; knows no domain."""
