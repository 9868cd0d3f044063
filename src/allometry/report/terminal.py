"""What a command prints: text for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from allometry.errors import InputError
from allometry.runs.run import Runs
from allometry.units import read_quantity, show_count, show_seconds

if TYPE_CHECKING:  # all that fits need takes half a second to load; the status of a study shows none
    from allometry.fitting.result import Estimate, Finding, Fit, Forecast
    from allometry.forecasts.records import RegisteredForecast

_KNOWN = (str, int, bool, type(None))  # to JSON as they are: nearly all that a table holds
_COUNTS = ("params", "tokens", "flops")  # columns shown with a prefix


def say(text: str, as_json: bool) -> None:
    """Print text, unless the output is to be JSON alone."""
    if not as_json:
        sys.stdout.write(text + "\n")


def show(value: object, text: str, as_json: bool) -> int:
    """Print a result as text or as one JSON value; returns the exit code 0."""
    sys.stdout.write((_as_json(value) if as_json else text) + "\n")
    sys.stdout.flush()
    return 0


def _as_json(value: object) -> str:
    """Indented; of a table each row on a line of its own, as ten thousand take ten times as long indented."""
    if not isinstance(value, pd.DataFrame):
        return json.dumps(plain(value), indent=1, allow_nan=False)
    rows = ",\n ".join(json.dumps(row, allow_nan=False) for row in plain(value))
    return f"[\n {rows}\n]" if rows else "[]"


def show_table(table: pd.DataFrame, as_json: bool) -> int:
    """Print a table: counts with prefixes, empty columns left out."""
    if as_json:
        return show(table, "", as_json)
    kept = table.dropna(axis="columns", how="all")
    kept = kept[[name for name in kept if not (kept[name].astype(str) == "").all()]]
    shown = {name: kept[name].map(show_count) for name in _COUNTS if name in kept}
    text = kept.assign(**shown).to_string(index=False, na_rep="", float_format="{:.4g}".format)
    return show(table, text if len(table) else "Nothing.", as_json)


def show_fits(fits: Mapping[str, Fit], as_json: bool) -> int:
    """Print fits, each under its name."""
    texts = [
        fit.summary() if name == fit.law.name else f"{name}, by {fit.summary()}" for name, fit in fits.items()
    ]
    return show(fits, "\n\n".join(texts), as_json)


def show_findings(findings: Mapping[str, list[Finding]], as_json: bool) -> int:
    """Print findings in plain words, the serious ones first, under the name of their fit."""
    from allometry.fitting.checks.definition import worst_first

    lines: list[str] = []
    for name, found in findings.items():
        lines += [f"{name}: nothing found"] if not found else [f"{name}:"]
        for finding in worst_first(found):
            lines.append(f"  {finding.severity}: {finding.sentence}")
            lines += [f"    -> {finding.remedy}"] if finding.remedy else []
    return show(findings, "\n".join(lines), as_json)


def describe_forecast(forecast: Forecast) -> str:
    """A forecast in plain words.

    >>> from allometry.fitting.result import Forecast
    >>> describe_forecast(Forecast(
    ...     inputs={"params": 7e9, "tokens": 1.4e12}, output="loss", unit="nat/token", median=2.1, low=2.0,
    ...     high=2.2, level=0.9, quantiles={}, beyond={"params": 7.0, "tokens": 0.5}, law="chinchilla",
    ...     width={"coefficients": 0.8, "noise": 0.2}, fit_hash="", data_hash="")).splitlines()[0]
    'Forecast at 7B params, 1.4T tokens: loss 2.1000 nat/token, 90% interval 2.0000 to 2.2000'
    """
    from allometry.fitting.checks import check_forecast

    at = ", ".join(f"{show_count(value)} {name}" for name, value in forecast.inputs.items())
    interval = f"{forecast.level:.0%} interval {forecast.low:.4f} to {forecast.high:.4f}"
    interval = (
        f"no interval because {forecast.no_interval_because}" if forecast.no_interval_because else interval
    )
    far = ", ".join(
        f"{factor:.2g} times the largest {name}" if factor > 1 else f"{name} inside the range"
        for name, factor in forecast.beyond.items()
    )
    width = ", ".join(f"{share:.0%} {source}" for source, share in forecast.width.items())
    lines = [f"Forecast at {at}: {forecast.output} {forecast.median:.4f} {forecast.unit}, {interval}"]
    lines += [f"  against the fitted runs: {far}"] if far else []
    lines += [f"  where the width comes from: {width}"] if width else []
    lines += [f"  noise of a single run from: {forecast.noise_from}"] if forecast.noise_from and width else []
    lines += [
        f"  {finding.severity}: {finding.sentence} {finding.remedy}" for finding in check_forecast(forecast)
    ]
    return "\n".join([*lines, f"  by {forecast.law}, fit {forecast.fit_hash}, data {forecast.data_hash}"])


def describe_stated(stated: RegisteredForecast) -> str:
    """A registered forecast in plain words, with where it stands in the register."""
    when = f"stated {stated.stated:%Y-%m-%d %H:%M:%S} UTC about run {stated.target}"
    where = f"line {stated.number} of the register, hash {stated.hash[:16]}"
    lines = [describe_forecast(stated.forecast), f"  {when}, as {where}"]
    lines += [f"  intervals: {ends}"] if (ends := _levels(stated)) else []
    lines += [f"  to be run until {stated.deadline}"] if stated.deadline else []
    return "\n".join(lines + ([f"  assuming: {stated.assumptions}"] if stated.assumptions else []))


def _levels(stated: RegisteredForecast) -> str:
    """The intervals of the usual levels that the stored quantiles reach."""
    known = sorted(stated.forecast.quantiles)
    widest = 1 - 2 * max(known[0], 1 - known[-1]) if known else 0.0
    levels = [level for level in (0.5, 0.8, 0.95) if level <= widest + 1e-9]
    ends = [(level, *stated.interval(level)) for level in levels]
    return ", ".join(f"{level:.0%} {low:.4f} to {high:.4f}" for level, low, high in ends)


def numbered(steps: Mapping[str, Callable[[], int]]) -> int:
    """Run commands in order, each under its own words, and say how long each took.

    Returns:
        The first exit code that is not 0, or 0. Failed runs (1) do not stop the steps after them.
    """
    begun = time.monotonic()
    took: dict[str, float] = {}
    worst = 0
    for number, (command, step) in enumerate(steps.items(), start=1):
        sys.stderr.write(f"\n[{number}/{len(steps)}] allometry {command}\n")
        since = time.monotonic()
        worst = worst or step()
        took[command] = time.monotonic() - since
    lines = [f"  {show_seconds(seconds):>12s}  {command}" for command, seconds in took.items()]
    total = f"  {show_seconds(time.monotonic() - begun):>12s}  in all"
    sys.stderr.write("\n".join(["", "Time taken:", *lines, total, ""]))
    return worst


def pairs(given: Iterable[str]) -> dict[str, str]:
    """Read name=value options.

    >>> pairs(["toks=tokens", "x=flops"])
    {'toks': 'tokens', 'x': 'flops'}
    """
    split = [text.partition("=") for text in given]
    for text, (name, equals, value) in zip(given, split, strict=True):
        if not (name and equals and value):
            raise InputError(f"'{text}' is not of the form name=value.")
    return {name.strip(): value.strip() for name, _, value in split}


def quantities(given: Iterable[str]) -> dict[str, float]:
    """Read name=value options whose values are numbers.

    >>> quantities(["unique_tokens=10B", "E=1.69"])
    {'unique_tokens': 10000000000.0, 'E': 1.69}
    """
    return {name: read_quantity(value) for name, value in pairs(given).items()}


def describe_estimate(name: str, found: Estimate, level: float) -> str:
    """A number with its interval, in words.

    >>> from allometry.fitting.result import Estimate
    >>> describe_estimate("alpha", Estimate(value=0.3473, low=0.3215, high=0.3729, unit="1"), 0.9)
    'alpha 0.3473, 90% interval 0.3215 to 0.3729'
    """
    unit = "" if found.unit == "1" else f" {found.unit}"
    return f"{name} {found.value:.4g}{unit}, {level:.0%} interval {found.low:.4g} to {found.high:.4g}"


def plain(value: Any) -> Any:
    """A result as what JSON knows; NaN and infinity become null."""
    if type(value) in _KNOWN or (type(value) is float and math.isfinite(value)):
        return value
    match value:
        case Runs():
            return plain(value.table)
        case pd.DataFrame():
            return [plain(row) for row in value.to_dict(orient="records")]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return _plain_record(value)
        case Mapping():
            return {str(key): plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
        case Enum() | Path() | datetime():
            return str(value)
        case np.generic():
            return plain(value.item())
        case float() if not math.isfinite(value):
            return None
        case _:
            return None if value is pd.NA or value is pd.NaT else value


def _plain_record(value: Any) -> dict[str, Any]:
    from allometry.fitting.result import Fit

    if isinstance(value, Fit):
        return _plain_fit(value)
    return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _plain_fit(fit: Fit) -> dict[str, Any]:
    intervals = {name: fit.interval(name) for name in fit.coefficients} if fit.draws is not None else None
    return {
        "law": fit.law.name,
        "coefficients": dict(fit.coefficients),
        "intervals_90": plain(intervals),
        "objective": fit.objective,
        "delta": fit.delta,
        "on": fit.on,
        "objective_value": fit.objective_value,
        "status": str(fit.status),
        "starts": plain(fit.starts),
        "runs": len(fit.data),
        "filters": plain(fit.filters),
        "held": dict(fit.held),
        "conventions": dict(fit.conventions),
        "source": fit.source,
        "fit_hash": fit.fit_hash,
        "data_hash": fit.data_hash,
        "findings": plain(fit.findings),
    }
