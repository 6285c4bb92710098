"""Delta Lake tables: the log, the data files, and commits that any number of machines race for."""
