"""Readers of transcoders on disk, one module for each layout."""
