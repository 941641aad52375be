"""Where everything in a figure stands: pure functions of numbers and texts."""
