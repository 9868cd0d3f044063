"""One self-contained HTML file that tells what was measured, fitted, forecast and found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allometry.report.writing import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'allometry.report' has no attribute '{name}'")
    from allometry.report.writing import (
        write_report,
    )  # here, as a command that writes no report needs no charts

    return write_report
