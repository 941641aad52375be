"""How numbers, nodes and experiments are put into words, on the screen and in figures alike."""
