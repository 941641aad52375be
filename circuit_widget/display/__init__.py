"""The display rule: which nodes and edges of a graph are visible, on the screen and in figures alike."""
