"""The worker thread, and debounced work."""
