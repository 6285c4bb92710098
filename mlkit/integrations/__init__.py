"""What other tools know mlkit by: the driver by which fsspec reads versions of datasets."""
