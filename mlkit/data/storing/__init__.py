"""How what was handed over becomes a version."""
