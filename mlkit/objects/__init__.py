"""Objects: blobs, chunks in packs, manifests, numbered documents, and their verification."""
