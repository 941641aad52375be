"""A figure as plain shapes and texts: map, circuit, effect and legend."""
