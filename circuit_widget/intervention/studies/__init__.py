"""Studies: many interventions that together answer one question about a graph or a circuit.

Each study is a function whose first argument is the model, and a method of `ReplacementModel`. In all of them `mode`,
`progress` and `cancelled` are as in `intervene`, and the same errors are raised. A sweep calls `on_effects` with its
effects while it runs.
"""
