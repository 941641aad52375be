"""Attribution: the edges of a graph, influence, pruning and scores, as pure functions of tensors and arrays."""
