"""The file with what is kept of one layer: a row for each feature, in groups of rows of which one is read for a card.

Columns: `feature`; `windows`, how many ran; `active`, at how many tokens the feature is active, without the first of each
window; `total`, the sum of its activations there. For activations above zero, and with `low_` before the name for those
below: `exponent` and `histogram` (counts in 64 bins from zero to two to the power of the exponent), `first_exponent` and
`first_histogram` of first tokens; and for the strongest examples, for `levels`, a random choice in four ranges, and for `first`,
the strongest at first tokens: `values` (size of the peak), `texts`, `words` (numbers of passage and word), `priorities`,
`tokens` and `activations` (24 of each example, the peak is the 16th; -1 where there is no token).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from circuit_widget.arguments import first_line
from circuit_widget.errors import LoadError
from circuit_widget.examples.activation_ranges import LEVELS, PER_LEVEL, Levels
from circuit_widget.examples.batch import CONTEXT
from circuit_widget.examples.first_tokens import FIRST_EXAMPLES, FirstTokens
from circuit_widget.examples.histogram import BINS, Histograms
from circuit_widget.examples.kept_examples import Slots
from circuit_widget.examples.layer_state import LayerState, Side
from circuit_widget.examples.parquet import arrow
from circuit_widget.examples.strongest_examples import STRONGEST, StrongestExamples
from circuit_widget.system.paths import quoted_path

Result = TypeVar("Result")

ROWS_IN_GROUP = 64
"""Features that are read together for a card."""

PREFIXES = {1: "", -1: "low_"}
POOLS = {"strongest": STRONGEST, "levels": LEVELS * PER_LEVEL, "first": FIRST_EXAMPLES}
PARTS = ("values", "texts", "words", "priorities", "tokens", "activations")


def write_layer(state: LayerState, path: Path) -> None:
    """Write what is kept of a layer."""
    pyarrow = arrow()
    columns: dict[str, Any] = {
        "feature": np.arange(state.n_features, dtype=np.int32),
        "windows": np.full(state.n_features, int(state.windows)),
        "active": _numpy(state.active),
        "total": _numpy(state.totals),
    }
    for side in state.sides:
        prefix = PREFIXES[side.sign]
        for histograms, name in ((side.histograms, prefix), (side.first.histograms, f"{prefix}first_")):
            columns[f"{name}exponent"] = _numpy(histograms.exponents)
            bins = np.full(state.n_features, BINS)
            columns[f"{name}histogram"] = _lists(bins, _numpy(histograms.counts).reshape(-1))
        for pool, slots in zip(
            POOLS, (side.strongest.slots, side.levels.slots, side.first.strongest.slots), strict=True
        ):
            filled = _numpy(slots.values) > 0
            for part in PARTS:
                values = _numpy(getattr(slots, part))[filled]
                width = CONTEXT if part in ("tokens", "activations") else 1
                columns[f"{prefix}{pool}_{part}"] = _lists(filled.sum(1) * width, values.reshape(-1))
    pyarrow.parquet.write_table(
        pyarrow.table(columns),
        path,
        row_group_size=ROWS_IN_GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=False,
    )


def read_layer(path: Path, layer: int, *, signed: bool, device: torch.device) -> LayerState:
    """Return what was kept of a layer.

    Raises:
        LoadError: the file is missing, cut off, or not one of these.
    """
    table = readable(path, lambda: arrow().parquet.read_table(path, memory_map=False))

    def column(name: str) -> torch.Tensor:
        return torch.from_numpy(np.array(table[name].to_numpy())).to(device)

    def histograms(name: str) -> Histograms:
        counts = _values(table, f"{name}histogram").reshape(-1, BINS)
        return Histograms(column(f"{name}exponent"), torch.from_numpy(np.array(counts)).to(device))

    def side(sign: int) -> Side:
        prefix = PREFIXES[sign]
        strongest, levels, first = (_slots(table, f"{prefix}{pool}", count, device) for pool, count in POOLS.items())
        at_first = FirstTokens(histograms(f"{prefix}first_"), StrongestExamples(first))
        return Side(sign, histograms(prefix), StrongestExamples(strongest), Levels(levels, layer), at_first)

    def state() -> LayerState:
        windows = column("windows").amax() if table.num_rows else torch.zeros((), dtype=torch.int64, device=device)
        return LayerState(windows, column("active"), column("total"), tuple(map(side, (1, -1) if signed else (1,))))

    return readable(path, state)


def _slots(table: Any, name: str, count: int, device: torch.device) -> Slots:
    lengths = _lengths(table, f"{name}_values")
    filled = np.arange(count) < lengths[:, None]
    empty = Slots.empty(len(lengths), count, torch.device("cpu"))
    parts = {}
    for part in PARTS:
        array = getattr(empty, part).numpy()
        values = _values(table, f"{name}_{part}")
        array[filled] = values.reshape(-1, *array.shape[2:])
        parts[part] = torch.from_numpy(array).to(device)
    return Slots(**parts)


def readable(path: Path, read: Callable[[], Result]) -> Result:
    """Return `read()`, which reads a file of examples.

    Raises:
        LoadError: it failed.
    """
    try:
        return read()
    except LoadError:
        raise
    except Exception as error:  # pyarrow raises many kinds, and NumPy others where columns do not fit
        what = "is missing" if not path.exists() else "is cut off or damaged"
        raise LoadError(
            f"The file of examples {quoted_path(path)} {what} ({first_line(error)}). Copy the folder again, or collect "
            "examples into another one."
        ) from error


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def _lists(lengths: NDArray[Any], values: NDArray[Any]) -> Any:
    pyarrow = arrow()
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    kind = pyarrow.LargeListArray if offsets[-1] > np.iinfo(np.int32).max else pyarrow.ListArray
    return kind.from_arrays(offsets.astype(np.int64 if kind is pyarrow.LargeListArray else np.int32), values)


def _values(table: Any, name: str) -> NDArray[Any]:
    """Return the entries of all lists of a column, one behind the other."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in table[name].chunks]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _lengths(table: Any, name: str) -> NDArray[Any]:
    return np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in table[name].chunks] or [np.zeros(0, int)])
