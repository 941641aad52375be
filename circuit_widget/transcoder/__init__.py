"""Transcoders: replacements of MLPs that compute the output from the input through sparse features."""
