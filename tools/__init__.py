"""Programs for the people who make circuit-widget; nothing of it is in the wheel."""
