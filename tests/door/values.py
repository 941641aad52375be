"""Values that someone may give by mistake, one of each sort; made anew for each call, since some can be used only once."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch

from circuit_widget import Ablate, Feature


class Unprintable:
    """Cannot be displayed: even its text raises."""

    def __repr__(self) -> str:
        raise RuntimeError("this object has no text")


def fails(*_: object, **__: object) -> NoReturn:
    """Be a callable that raises whatever it is given."""
    raise ZeroDivisionError("raised by the caller's own function")


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "numpy True": lambda: np.True_,
    "-1": lambda: -1,
    "0": lambda: 0,
    "numpy 1": lambda: np.int64(1),
    "torch 1": lambda: torch.tensor(1),
    "10**30": lambda: 10**30,
    "10**5000": lambda: 10**5000,
    "1.5": lambda: 1.5,
    "numpy 0.5": lambda: np.float32(0.5),
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "empty text": lambda: "",
    "text": lambda: "x",
    "half a character": lambda: "\ud800",
    "long text": lambda: "x\n\0" * 50_000,
    "bytes": lambda: b"x",
    "empty list": list,
    "list of None": lambda: [None],
    "list in a list": lambda: [[["x"]]],
    "empty mapping": dict,
    "mapping": lambda: {"x": None},
    "set": lambda: {10**5000},
    "generator": lambda: (entry for entry in (None,)),
    "tensor": lambda: torch.zeros(3),
    "array": lambda: np.full((2, 2), np.nan),
    "object": lambda: object(),
    "unprintable": Unprintable,
    "class": lambda: int,
    "failing callable": lambda: fails,
    "Feature": lambda: Feature(10**6, 1, 0),
    "intervention": lambda: Ablate("x"),
}
