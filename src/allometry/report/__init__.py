"""One self-contained HTML file that tells what was measured, fitted, forecast and found."""

from allometry.report.writing import write_report

__all__ = ["write_report"]
