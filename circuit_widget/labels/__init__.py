"""Labels of features: written by rule or by a language model, imported; how accurate they are, and where they are kept."""
