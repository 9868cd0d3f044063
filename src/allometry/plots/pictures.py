"""A chart as a picture, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from allometry.errors import InputError
from allometry.files import write_atomically

_SCALE = 2.0  # pixels of a PNG per unit of the chart: sharp on dense screens and on paper


def save_picture(chart: Any, path: str | Path) -> None:
    """Save a chart as SVG or PNG, by the suffix of the path; all of it or nothing.

    Args:
        chart: Any chart of `allometry.plots`.

    Raises:
        InputError: If the suffix is neither .svg nor .png.
        StudyError: If it cannot be written.
    """
    import vl_convert

    target = Path(path)
    spec = chart.to_dict()
    match target.suffix.lower():
        case ".svg":
            write_atomically(target, vl_convert.vegalite_to_svg(spec))
        case ".png":
            write_atomically(target, vl_convert.vegalite_to_png(spec, scale=_SCALE))
        case other:
            raise InputError(f"A picture is saved as .svg or .png, not '{other}' ({target}).")
