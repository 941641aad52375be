"""pyarrow, which reads and writes Parquet files and comes with the extra `examples`."""

from __future__ import annotations

from typing import Any

from circuit_widget.errors import LoadError

INSTALL = "pip install 'circuit-widget[examples]'"


def arrow() -> Any:
    """Return pyarrow with its module for Parquet files.

    Raises:
        LoadError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise LoadError(f"Examples of features are in Parquet files, which pyarrow reads: {INSTALL}.") from error
    return pyarrow
