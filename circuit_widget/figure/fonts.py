"""Where the fonts of PDF and PNG figures are: open fonts that come with the package (fonts/OFL.txt)."""

from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
