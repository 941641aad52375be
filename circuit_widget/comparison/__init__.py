"""Graphs beside each other: two graphs compared, and the graphs of prompts that mean the same."""
