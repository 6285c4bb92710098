"""The bytes of versions: files, tables, and folders on the local disk."""
