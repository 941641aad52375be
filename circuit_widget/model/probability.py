"""Probabilities of tokens, from logits, in float64: the same in a graph, a generation and an effect."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor


def log_softmax(logits: Float[np.ndarray, " vocabulary"]) -> Float64[np.ndarray, " vocabulary"]:
    """Return logarithms of probabilities, computed in float64: `l - max(l) - log(sum(exp(l - max(l))))`."""
    above = logits.astype(np.float64) - float(logits.max())
    return np.asarray(above - np.log(np.exp(above).sum()))


def softmax(logits: Float[np.ndarray, " vocabulary"]) -> Float64[np.ndarray, " vocabulary"]:
    """Return probabilities, computed in float64."""
    return np.asarray(np.exp(log_softmax(logits)))


def probabilities_of(logits: Float[Tensor, " vocabulary"]) -> Float64[Tensor, " vocabulary"]:
    """Return the probabilities of logits on any device, as `softmax` does, on the CPU."""
    return torch.from_numpy(softmax(logits.detach().float().cpu().numpy()))
