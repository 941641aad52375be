"""What runs in the worker's thread."""
