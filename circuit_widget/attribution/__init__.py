"""Attribution: the edges of a graph, and what follows from them. Pure functions of arrays."""
