"""The file that keeps the work on a graph, and the form that experiments have in it."""
