"""What the curve of one training says about the run: whether its schedule was finished."""

from __future__ import annotations

from collections.abc import Sequence

# A schedule that anneals ends at 0 to 10% of its peak; a run cut off in its stable phase ends at 100%, and a
# cosine that is cut off in its last quarter above 15%.
_FINISHED_SHARE = 0.1


def is_decayed(learning_rates: Sequence[float]) -> bool | None:
    """Whether the last learning rate is at most a tenth of the highest; None where none is known.

    The last one is that of the last step that was logged, which for a schedule to zero lies a little above.

    >>> is_decayed([0.0, 3e-4, 3e-4, 1e-5]), is_decayed([3e-4, 3e-4, 2e-4]), is_decayed([])
    (True, False, None)
    """
    if not learning_rates or max(learning_rates) <= 0:
        return None
    return learning_rates[-1] <= _FINISHED_SHARE * max(learning_rates)
