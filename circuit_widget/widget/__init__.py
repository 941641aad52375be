"""The widget: its messages, the worker that owns the model, and the notebook view."""
