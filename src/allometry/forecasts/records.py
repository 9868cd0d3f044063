"""One registered forecast, and the line of text it is kept as."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np

from allometry.errors import ForecastError
from allometry.fitting.result import Forecast

_NUMBERS = ("median", "low", "high", "level")
_MAPPINGS = ("inputs", "quantiles", "beyond", "width")


@dataclass(frozen=True, kw_only=True)
class RegisteredForecast:
    """A forecast that was written down.

    Attributes:
        number: Its line in the register, from 1.
        stated: When it was written down, UTC, to the millisecond.
        target: run_id of the run it is about; empty if none was named.
        forecast: All of it, unrounded: inputs, interval, quantiles, law, fit_hash, data_hash.
        assumptions: What must hold for it, in words.
        fit_path: Where the fit was saved, if it was.
        previous: SHA-256 of the line before, empty for the first.
        hash: SHA-256 of this record.
        recipe: The target's recipe as TOML, if it was given: the run_id is its hash.
        deadline: Until when the run should have been made, if that was said.
    """

    number: int
    stated: datetime
    target: str
    forecast: Forecast
    assumptions: str
    fit_path: str
    previous: str
    hash: str
    recipe: str = ""
    deadline: str = ""

    def interval(self, level: float) -> tuple[float, float]:
        """Both ends of the stated interval of a level, between the stored quantiles.

        Raises:
            ForecastError: If the stored quantiles do not reach so far out.
        """
        known = self.forecast.quantiles
        ends = ((1 - level) / 2, (1 + level) / 2)
        if not known or min(known) > ends[0] + 1e-9 or max(known) < ends[1] - 1e-9:
            raise ForecastError(
                f"Forecast {self.number} states no {100 * level:g}% interval: "
                f"its quantiles are {', '.join(f'{p:g}' for p in sorted(known)) or 'missing'}."
            )
        places = sorted(known)
        low, high = np.interp(ends, places, [known[place] for place in places])
        return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class RegisteredOutcome:
    """What a run measured, attached to the register after it: a line that can be changed no more than others.

    Attributes:
        number: Its line in the register, from 1.
        stated: When it was attached, UTC, to the millisecond.
        target: run_id of the run.
        output: The column that was forecast.
        value: Measured, unrounded, in the output's unit.
        previous, hash: As of a forecast.
    """

    number: int
    stated: datetime
    target: str
    output: str
    value: float
    previous: str
    hash: str


def write_outcome(
    *, number: int, stated: datetime, target: str, output: str, value: float, previous: str
) -> bytes:
    """The line of an outcome, without the line break."""
    outcome = {"target": target, "output": output, "value": value}
    when = stated.isoformat(timespec="milliseconds")
    return _line({"number": number, "stated": when, "outcome": outcome, "previous": previous})


def write_record(
    *,
    number: int,
    stated: datetime,
    target: str,
    forecast: Forecast,
    assumptions: str,
    fit_path: str,
    previous: str,
    recipe: str = "",
    deadline: str = "",
) -> bytes:
    """The line of a new record, without the line break."""
    said = {"recipe": recipe, "deadline": deadline}
    return _line(
        {
            "number": number,
            "stated": stated.isoformat(timespec="milliseconds"),
            "target": target,
            "forecast": _from_forecast(forecast),
            "assumptions": assumptions,
            "fit_path": fit_path,
            "previous": previous,
            **{name: text for name, text in said.items() if text},
        }
    )


def read_record(line: bytes) -> RegisteredForecast | RegisteredOutcome:
    """The record of a line, a forecast or an outcome, checked against its own hash.

    Raises:
        ForecastError: If any byte is not as it was written; the message is the end of a sentence.
    """
    try:
        content = json.loads(line)
        stated_hash = content.pop("hash")
        # Written again and compared byte by byte: a blank or a doubled key would not show in the values.
        whole = _line(content) == line
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ForecastError("is not a record of a forecast") from error
    if not whole:
        raise ForecastError("was changed after it was written: its hash does not match")
    try:
        stated = datetime.fromisoformat(content.pop("stated"))
        if "outcome" in content:
            return RegisteredOutcome(**content.pop("outcome"), **content, stated=stated, hash=stated_hash)
        forecast = _to_forecast(content.pop("forecast"))
        return RegisteredForecast(**content, stated=stated, forecast=forecast, hash=stated_hash)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ForecastError(
            "holds fields this version of allometry does not know; use a newer one"
        ) from error


def hash_of(line: bytes) -> str:
    """What the next record keeps as `previous`."""
    return hashlib.sha256(line).hexdigest()


def same_forecast(one: Forecast, other: Forecast) -> bool:
    """Whether two forecasts agree in every field and every digit."""
    return _from_forecast(one) == _from_forecast(other)


def _line(content: Mapping[str, Any]) -> bytes:
    body = json.dumps(content, allow_nan=False)
    return json.dumps({**content, "hash": hash_of(body.encode())}, allow_nan=False).encode()


def _from_forecast(forecast: Forecast) -> dict[str, Any]:
    content = {field.name: getattr(forecast, field.name) for field in fields(Forecast)}
    for name in _NUMBERS:
        content[name] = _from_number(content[name])
    for name in _MAPPINGS:
        # Pairs, because JSON would turn the probabilities of the quantiles into text.
        content[name] = [[key, _from_number(value)] for key, value in content[name].items()]
    return content


def _to_forecast(content: Mapping[str, Any]) -> Forecast:
    numbers = {name: _to_number(content[name]) for name in _NUMBERS}
    mappings = {name: {key: _to_number(value) for key, value in content[name]} for name in _MAPPINGS}
    return Forecast(**{**content, **numbers, **mappings})


def _from_number(value: float) -> float | str | None:
    # JSON has no NaN and no infinity.
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def _to_number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
