"""The operating system and the process: memory, files, torch's settings, changes that are undone, warnings."""
