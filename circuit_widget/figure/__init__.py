"""Pictures of graphs and circuits: layout, scene, and the writers of SVG, PDF and PNG."""
