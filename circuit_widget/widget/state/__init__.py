"""What a widget keeps: its traits and its history of experiments."""
