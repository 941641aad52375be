"""What travels between the kernel and the page."""
