"""What the package asks of the operating system, and owes to the process it runs in."""
