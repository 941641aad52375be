"""The language model: the only room that imports transformers."""
