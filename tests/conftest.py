"""Properties are tried on the same examples everywhere, and a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
