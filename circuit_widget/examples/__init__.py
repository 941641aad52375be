"""Examples of features: collected from texts, kept in a folder, read for cards."""
