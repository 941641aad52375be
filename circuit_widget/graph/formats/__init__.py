"""Graph files of other tools: one file for each layout."""
