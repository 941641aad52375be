"""Studies: many interventions, each asking one question of a graph or a circuit.

Each is a function of a model that experiments run on, and a method of `ReplacementModel`. Everywhere `mode` names what is
frozen, as in `intervene`, `progress` and `cancelled` are as there, and the same errors are raised for what cannot be
intervened on. The `on_effects` of a sweep is given its effects while it runs.
"""
