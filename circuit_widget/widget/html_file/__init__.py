"""One HTML file for readers: what the widget displays, with the widget itself, and without a kernel."""
