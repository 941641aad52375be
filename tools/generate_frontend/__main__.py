"""`python -m tools.generate_frontend` writes what screen and kernel share into js/src, and the widths of characters."""

from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import write_bytes
from tools.generate_frontend.modules import written_modules


def main() -> None:
    """Write every module."""
    for path, text in written_modules().items():
        write_bytes(path, text.encode(), "module", CircuitWidgetError)


if __name__ == "__main__":
    main()
