"""The requests of the page."""
