"""Deliberate mistakes in the product, each of which some test has to catch: `make mutants`."""
