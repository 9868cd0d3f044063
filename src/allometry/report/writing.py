"""`write_report`: the contents, rendered as one HTML file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from platform import python_version
from typing import Any

from altair.utils.schemapi import debug_mode

from allometry.errors import StudyError
from allometry.files import cache_folder, put_in_place, write_atomically
from allometry.fitting import Fit
from allometry.plots import axes
from allometry.report import figures, tables
from allometry.report.contents import Contents, Item, gather
from allometry.report.figure import Figure
from allometry.report.formula import formula
from allometry.report.section import Section
from allometry.report.sections import sections
from allometry.report.sensitivities import sensitivity_section
from allometry.report.verdict import all_findings, verdict
from allometry.storage import open_place

_WHOLE = "\n//whole\n"  # the end of a kept script: a disk that lost its power may have half of one
_OBJECTIVES = {
    "huber": "Huber's robust penalty",
    "lad": "absolute residuals",
    "least_squares": "least squares",
    "lower_envelope": "the lower envelope",
}


def write_report(items: Item | Iterable[Item], path: str | Path, *, command: str = "") -> Path:
    """Write one self-contained HTML file that works offline; nothing is computed that is not in the library.

    The same items give the same file, byte for byte.

    Args:
        items: A study, with its runs, fits and forecasts; or a list of Runs, Fit, Plan, Forecast, Comparison,
            Approaches, IsoFlopFit, EnvelopeFit, Multiplier.
        command: What to run to get this report again; for a study "allometry report FOLDER".

    Returns:
        The path.

    Raises:
        InputError: If there is nothing to report, or an item that a report cannot show.
        StudyError: If the file cannot be written; one that was there is then unchanged.
    """
    page = _render(gather(items, command))
    place = open_place(path)
    write_atomically(place, page)
    return place


@debug_mode(False)  # Altair holds every part of a chart against its schema, half of the time; tests do so
def _render(contents: Contents) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("allometry.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(_values(contents))


def _values(contents: Contents) -> dict[str, Any]:
    stated, charts = figures.forecast_figures(contents), figures.figures(contents)
    parts = list(sections(contents))
    fits = [_fit_values(fit, place) for place, fit in enumerate(contents.fits, start=1)]
    changes = [entry["change"] for entry in fits]
    return {
        "contents": contents,
        "verdict": verdict(contents),
        "forecast_figures": stated,
        "figures": charts,
        "sections": parts,
        "fits": fits,
        "charts": _charts({"forecast": stated, "chart": charts}, [*parts, *changes]),
        "findings": all_findings(contents),
        "tables": list(_tables(contents)),
        "assumptions": _assumptions(contents),
        "provenance": tables.provenance(contents),
        "versions": f"allometry {version('allometry')}, Python {python_version()}",
        "style": (files("allometry.report") / "style.css").read_text(),
        "script": _vega(),
    }


def _charts(named: dict[str, list[Figure]], parts: Iterable[Section]) -> dict[str, Any]:
    """The specification of every chart, by the name of its place on the page."""
    every = named | {part.slug: list(part.figures) for part in parts}
    return {
        f"{name}-{place}": figure.spec
        for name, shown in every.items()
        for place, figure in enumerate(shown, start=1)
    }


def _fit_values(fit: Fit, place: int) -> dict[str, Any]:
    inputs = zip(fit.law.symbols, fit.law.reads, strict=True)
    called = [f"{symbol}: {axes.words(fit.inputs[name])}" for symbol, name in inputs]
    return {
        "fit": fit,
        "formula": formula(fit),
        "symbols": ", ".join(called),
        "objective": _OBJECTIVES[fit.objective],
        "coefficients": tables.coefficients(fit),
        "change": sensitivity_section(fit, place),
    }


def _tables(contents: Contents) -> Iterable[tables.Table]:
    if contents.forecasts:
        yield tables.forecasts_table(contents.forecasts)
    for plan in contents.plans:
        yield tables.plan_table(plan)
    if contents.runs is not None:
        yield tables.runs_table(contents.runs)


def _assumptions(contents: Contents) -> list[str]:
    found = [
        f"Forecast {stated.number}: {stated.assumptions}"
        for stated in contents.forecasts
        if stated.assumptions
    ]
    fit = contents.main
    if fit is None:
        return found
    found.append("Intervals hold if the law holds at the target; no interval covers a law of another form.")
    found += [f"{name.replace('_', ' ')}: {value}." for name, value in fit.conventions.items()]
    found += [
        f"Left out of the fit: {entry.dropped} runs that are not {entry.query}"
        + (f" ({entry.because})." if entry.because else ".")
        for entry in fit.filters
    ]
    if contents.plans:
        found.append("The plan counts compute as 6 · params · tokens, without attention scores.")
    return found


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, for all charts of a page.

    Making it takes two seconds, so it is kept for the next report; a cache that cannot be used is none.
    """
    kept = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        if (script := kept.read_bytes().decode()).endswith(_WHOLE):
            return script.removesuffix(_WHOLE)
    script = _bundle()
    with suppress(StudyError):
        put_in_place(kept, script + _WHOLE)
    return script


def _bundle() -> str:
    import vl_convert

    # Its type hints ask for a snippet; without one it makes the libraries global.
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    assert "</script" not in script, "the page would end inside the library"
    return script
