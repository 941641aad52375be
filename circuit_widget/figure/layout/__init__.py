"""The layout of figures, map and circuit: pure functions of numbers and texts."""
