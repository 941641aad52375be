"""Experiments and studies of a widget."""
