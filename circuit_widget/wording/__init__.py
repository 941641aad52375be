"""Texts for numbers, nodes and experiments, the same on the screen and in figures."""
