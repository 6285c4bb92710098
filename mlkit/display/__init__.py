"""Plain rows and points made into text, HTML and SVG; everything escaped, nothing fetched."""
