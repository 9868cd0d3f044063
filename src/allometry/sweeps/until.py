"""When a sweep that chooses its own next runs stops: a rule such as "width < 1% or gain < 5%"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from allometry.errors import InputError
from allometry.units import read_quantity

_PART = re.compile(r"\s*(width|gain|flops)\s*([<>])\s*([^\s%]+)\s*(%?)\s*", re.IGNORECASE)
_LEAST_STEP = 0.1  # of the compute so far
_DIRECTION = {"width": "<", "gain": "<", "flops": ">"}


@dataclass(frozen=True, kw_only=True)
class Until:
    """A stop rule; the first part of it that comes true ends the sweep.

    Attributes:
        width: Width of the forecast's interval, as a share of the forecast, that is narrow enough.
        gain: Share by which as much compute as was spent so far is expected to narrow the width: below this,
            more is not worth it.
        flops: Compute of the chosen runs together that is not exceeded.
    """

    width: float = 0.0
    gain: float = 0.0
    flops: float = math.inf

    def fired(self, *, width: float, gain: float) -> str:
        """Which part came true, in words; empty if none."""
        if width < self.width:
            return f"the interval is {width:.2%} wide, below {self.width:.2%}"
        if gain < self.gain:
            return f"as much compute again would narrow it by {gain:.1%}, below {self.gain:.1%}"
        return ""

    def round_flops(self, spent: float, *, width: float | None) -> float:
        """The most that the next round may take, in FLOP: what was spent, or less where little is missing.

        A width falls at best by the square root of the compute, so (width / wanted)² - 1 of what was spent is
        what is missing at least, and what is expected from few runs is seldom right. A tenth at the least: a
        round is a pause, and every look at the width a chance to stop by luck.

        Args:
            width: Measured now; None if no fit says it.

        >>> f"{Until(width=0.030).round_flops(1e15, width=0.033):.3g}"
        '2.1e+14'
        """
        if not self.width or width is None:
            return spent
        missing = (width / self.width) ** 2 - 1
        return spent * min(max(missing, _LEAST_STEP), 1.0)


def read_rule(text: str) -> Until:
    """Read a stop rule: parts joined by "or".

    Raises:
        InputError: If a part is none of "width < 1%", "gain < 5%" and "flops > 1e15", or comes twice.

    >>> read_rule("width < 1% or flops > 2e15")
    Until(width=0.01, gain=0.0, flops=2000000000000000.0)
    """
    parts = [_part(part, text) for part in re.split(r"\bor\b", text, flags=re.IGNORECASE)]
    names = [name for name, _ in parts]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"'{text}' says {name} twice: leave one of them out.")
    return Until(**dict(parts))


def _part(part: str, text: str) -> tuple[str, float]:
    match = _PART.fullmatch(part)
    name = match[1].lower() if match else ""
    if match is None or match[2] != _DIRECTION[name] or (name == "flops" and match[4]):
        raise InputError(
            f"'{text}' is no rule to stop by: write width < 1%, gain < 5% or flops > 1e15, or several of "
            "them joined by or."
        )
    value = read_quantity(match[3]) / (100 if match[4] else 1)
    if not value > 0:
        raise InputError(f"'{part.strip()}' is never or always true: give a number above zero.")
    if name != "flops" and value >= 1:
        raise InputError(f"'{part.strip()}' is true before any run: give a share below 100%, such as 1%.")
    return name, value
