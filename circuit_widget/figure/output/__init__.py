"""A scene as a file: SVG, PDF, PNG, and the recipe inside."""
