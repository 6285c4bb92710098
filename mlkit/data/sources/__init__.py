"""What users hand over: tables of any library, and files that are here or elsewhere."""
