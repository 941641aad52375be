"""How an intervention runs: nodes resolved, values clamped, the model run again, the graph's prediction beside it."""
