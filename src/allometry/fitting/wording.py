"""A fit in words that a person reads with pleasure."""

from __future__ import annotations

from allometry.fitting.result import Draws, Fit
from allometry.units import show_power

_LAW_UNIT = "nat/token"
_OBJECTIVES = {
    "huber": "sum of Huber penalties (delta {delta:g})",
    "lad": "sum of absolute residuals",
    "least_squares": "sum of squared residuals",
    "lower_envelope": "lower envelope (delta {delta:g}: a tenth of the runs lie below it)",
}


def summary(fit: Fit, level: float = 0.9) -> str:
    """The fit in plain text; `Fit.summary` is the front of this."""
    lines = [f"{fit.law.name}: {fit.output} = {fit.law.formula}", f"  from {fit.law.source}", ""]
    lines += _table(fit, level)
    lines += ["", *_found(fit), *_data(fit), *_intervals(fit, level)]
    lines += [f"  {finding.severity}: {finding.sentence}" for finding in fit.findings]
    return "\n".join(lines)


def _table(fit: Fit, level: float) -> list[str]:
    rows = [_row(fit, name, level) for name in fit.law.names]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + f"  {coefficient.meaning}"
        for row, coefficient in zip(rows, fit.law.coefficients, strict=True)
    ]


def _row(fit: Fit, name: str, level: float) -> tuple[str, str, str, str]:
    unit = fit.law.coefficients[fit.law.names.index(name)].unit
    unit = coefficient_unit(fit, unit)
    if name in fit.held:
        between = "held"
    elif fit.draws is None:
        between = "no interval yet"
    else:
        low, high = fit.interval(name, level)
        between = f"{show(low)} to {show(high)}"
    return name, show(fit.coefficients[name]), between, "" if unit == "1" else unit


def coefficient_unit(fit: Fit, unit: str) -> str:
    """The unit of a coefficient in this fit."""
    # A law speaks of its own output; this fit may predict another column, such as bits_per_byte.
    return unit.replace(_LAW_UNIT, fit.unit).replace("output", fit.unit or fit.output)


def show(value: float) -> str:
    """A coefficient in four digits.

    >>> show(0.34731), show(477.8258), show(2.1e13)
    ('0.3473', '477.8', '2.1e13')
    """
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 else show_power(value, 4)


def _found(fit: Fit) -> list[str]:
    what = _OBJECTIVES[fit.objective].format(delta=fit.delta)
    on = fit.output if fit.on == "raw" else f"{fit.on} {fit.output}"
    starts = f"{fit.starts.agreeing} of {fit.starts.tried} starts agree"
    return [
        f"  minimised   {what} on {on}: {fit.objective_value:.10g}",
        f"  status      {fit.status.replace('_', ' ')}, {starts}",
    ]


def _data(fit: Fit) -> list[str]:
    used = f"{len(fit.data)} from {fit.source}, weights {fit.weighting} (data {fit.data_hash})"
    lines = [f"  runs used   {used}"]
    for entry in fit.filters:
        because = f" ({entry.because})" if entry.because else ""
        lines.append(f"  left out    {entry.dropped} by not: {entry.query}{because}")
    lines += [f"  {name.replace('_', ' ')}: {value}" for name, value in fit.conventions.items()]
    return lines


def _intervals(fit: Fit, level: float) -> list[str]:
    if fit.drawn is None:
        return ["  intervals   none yet: bootstrap(fit) makes them"]
    return [f"  intervals   {level:.0%}, from {drawing(fit.drawn)}", *_priors(fit.drawn)]


def drawing(drawn: Draws) -> str:
    """How draws were made, in words.

    >>> drawing(Draws(resampling="pairs", unit="run", count=1000, unconverged=0, seed=0))
    '1000 pairs resamples by run'
    """
    if drawn.sampling is not None:
        how = drawn.sampling
        return (
            f"{drawn.count} draws from a posterior (worth {how.effective:.0f} independent ones, "
            f"R-hat {how.rhat:.3f})"
        )
    failed = f", {drawn.unconverged} refits did not converge and are left out" if drawn.unconverged else ""
    return f"{drawn.count} {drawn.resampling} resamples by {drawn.unit}{failed}"


def _priors(drawn: Draws) -> list[str]:
    if drawn.sampling is None:
        return []
    return ["  priors      " + "; ".join(f"{name} {prior}" for name, prior in drawn.sampling.priors.items())]
