"""From a prompt to its attribution graph."""
