"""Which run to start first: a long one that starts last is waited for by workers that have nothing to do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from allometry.architectures import Architecture
from allometry.sweeps.designs import Planned

_AWAITED = {
    "learning_rate_check": 2,
    "trunk": 1,
}  # by others of their size; the largest first


def most_urgent_first(planned: Sequence[Planned]) -> list[Planned]:
    """The longest runs first; one that others of its size wait for counts as the longest of them.

    Source:
        Graham 1969, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17(2), theorem 2: of
        independent runs in this order the last ends within 4/3 of the least time there is.
    """
    longest: dict[Architecture, int] = {}
    for each in planned:
        shape = each.recipe.architecture
        longest[shape] = max(longest.get(shape, 0), each.own_tokens)

    def urgency(each: Planned) -> tuple[float, int, int]:
        shape, stage = each.recipe.architecture, _AWAITED.get(each.design, 0)
        tokens = longest[shape] if stage else each.own_tokens
        return _flops_per_token(shape) * tokens, stage, each.own_tokens

    return sorted(planned, key=urgency, reverse=True)


@lru_cache(maxsize=1024)
def _flops_per_token(shape: Architecture) -> float:
    """Counted once a shape: ten thousand runs are put in order whenever one of them ends."""
    return shape.flops_per_token()
