"""How much work something takes, counted: the same on every machine, however busy it is."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from tests.house import ROOT

PACKAGE = str(ROOT / "circuit_widget")


class _Operations(TorchDispatchMode):
    """Lists the operations of torch that run within it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        self.names.append(operation.overloadpacket.__name__)
        return operation(*given, **(named or {}))


def operations(work: Callable[[], object]) -> list[str]:
    """Return the names of the operations of torch that some work takes, such as "mm", in their order."""
    counted = _Operations()
    with counted:
        work()
    return counted.names


def lines(work: Callable[[], object]) -> int:
    """Return how many lines of circuit_widget some work executes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
