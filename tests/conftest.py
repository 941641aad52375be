"""Properties are tried on the same examples everywhere, in one thread, and a busy machine is no failure."""

import torch
from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# How many threads share a product decides how it is rounded; with one, every machine rounds the same way.
torch.set_num_threads(1)
