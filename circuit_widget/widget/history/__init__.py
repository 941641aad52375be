"""The work on one graph: its circuit, and the experiments made on it."""
