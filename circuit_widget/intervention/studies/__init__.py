"""Studies: many interventions, each asking one question of a graph or a circuit."""
