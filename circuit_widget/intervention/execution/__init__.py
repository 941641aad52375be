"""How an intervention runs: nodes are resolved and clamped, the model runs again, and the graph predicts the result.

The modules in the order in which `run_interventions` uses them: resolve, clamp (with constant_nodes), plan, measure,
predict, target_readings. `graph_features` serves measure and predict; `steering` clamps features during generation.
"""
