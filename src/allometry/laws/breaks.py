"""Power laws whose slope changes on the way: the broken neural scaling law."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from allometry.errors import InputError
from allometry.laws.coefficients import floor, scale
from allometry.laws.definition import Coefficient, Family, Law, law
from allometry.laws.mathematics import exp, log

_MOST = 4  # each break opens three more coefficients, and needs several runs on either side


def _slope(name: str, meaning: str, low: float, typical: float) -> Coefficient:
    return Coefficient(
        name=name,
        meaning=meaning,
        unit="1",
        low=low,
        high=2.0,
        positive=False,
        bounds=(-20.0, 20.0),
        typical=typical,
    )


def _turn(place: int, typical: float) -> Coefficient:
    return _slope(f"c{place}", f"how much steeper the fall is after break {place}", -1.0, typical)


def _sharpness(place: int) -> Coefficient:
    return Coefficient(
        name=f"f{place}",
        meaning=f"how gradual break {place} is: half of the turn lies within x·e^±f",
        unit="1",
        low=0.05,
        high=2.0,
        # Sharper, the formula overflows some decades from the break; more gradual, it is no break.
        bounds=(0.03, 10.0),
        typical=0.3,
    )


def _ratio(place: int) -> Coefficient:
    # A ratio to the break before, because breaks that may change places have no one answer.
    return Coefficient(
        name=f"r{place}",
        meaning=f"place of break {place} as a multiple of the break before",
        unit="1",
        low=2.0,
        high=1e3,
        bounds=(1.0, 1e30),
        typical=30.0,
    )


@law(
    reads=("x",),
    source="Caballero et al. 2023, eq. 1, arXiv:2210.14891",
    # Typical values are ordinary: the published ones differ from task to task.
    coefficients=(
        floor("limit that no amount of x passes", name="a", unit="output", typical=1.0),
        scale("b", "value above the limit at x = 1, were there no breaks", "output · x^c0", typical=10.0),
        _slope("c0", "how steep the fall is before the first break", -0.5, 0.1),
        _turn(1, 0.4),
        Coefficient(
            name="d1",
            meaning="place of the first break",
            unit="x",
            low=0.5,
            high=2.0,
            of="x",
            bounds=(1e-30, 1e60),
            typical=5e4,
        ),
        _sharpness(1),
    ),
)
def broken_power_law(x: Any, *, a: Any, b: Any, c0: Any, c1: Any, d1: Any, f1: Any) -> Any:
    """The predicted value falls as a power of one input, and as another power after a break.

    The slope in log-log above the limit is -c0 before the break at d1 and -(c0 + c1) after it; a small f1
    is a sharp break. Either slope may be a rise. A break is evidence only where runs lie on both sides of it,
    and nothing in the runs says where the next one comes.

    Map the input to a column: `fit("broken_power_law", runs, inputs={"x": "tokens"})`. More breaks are a
    member of the family: `broken_power_law(2)`.

    The authors' example of learning four-digit addition, before and after its break at 613 examples:

    >>> addition = {"a": 0.41388, "b": 2.27727, "c0": 0.0550773, "c1": 5.6629, "d1": 612.58, "f1": 0.059193}
    >>> broken_power_law.evaluate({"x": [300.0, 600.0, 900.0]}, addition).round(2).tolist()
    [2.08, 1.75, 0.59]
    """
    return a + b * x ** (-c0) * (1 + (x / d1) ** (1 / f1)) ** (-c1 * f1)


_MEMBER = """The predicted value falls as a power of one input whose exponent changes at {breaks} breaks.

This is `broken_power_law` with more breaks: break i turns the slope by c_i and has its own f_i. From the
second on, its place is r_i times that of the break before, which keeps them in order: d2 = d1·r2.

>>> from allometry.laws import read_law
>>> read_law("{name}").names[-3:]
{last!r}
"""


def _member(breaks: str = "1") -> Law:
    """The law with this many breaks."""
    if breaks not in map(str, range(1, _MOST + 1)):
        raise InputError(
            f"'{breaks}' is no number of breaks from 1 to {_MOST}; write broken_power_law(2). "
            "Without a break it is 'power_law_with_floor'."
        )
    count = int(breaks)
    later = [
        part
        for place in range(2, count + 1)
        # Ordinary: every second break turns back.
        for part in (_turn(place, 0.4 if place % 2 else -0.3), _ratio(place), _sharpness(place))
    ]
    name = f"broken_power_law({count})"
    coefficients = (*broken_power_law.coefficients, *later)
    last = tuple(one.name for one in coefficients[-3:])
    return replace(
        broken_power_law,
        name=name,
        coefficients=coefficients,
        description=_MEMBER.format(breaks=count, name=name, last=last),
        function=_formula,
    )


def _formula(x: Any, *, a: Any, b: Any, c0: Any, **later: Any) -> Any:
    # As one exponential, because SymPy is slow at derivatives of a product of many powers.
    breaks = len(later) // 3
    slope, place = c0 * log(x), log(later["d1"])
    for i in range(1, breaks + 1):
        place = place + log(later[f"r{i}"]) if i > 1 else place
        sharpness = later[f"f{i}"]
        slope = slope + later[f"c{i}"] * sharpness * log(1 + exp((log(x) - place) / sharpness))
    return a + b * exp(-slope)


BREAKS = Family(name="broken_power_law", arguments="the number of breaks, 1 to 4: 2", member=_member)

__test__ = {entry.name: entry.description for entry in (broken_power_law, _member("2"))}
