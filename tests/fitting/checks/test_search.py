"""Checks of the search: did it find the best description of these runs?"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from allometry.fitting import Finding, Fit, FitStatus, Severity, Starts

Find = Callable[[str, Fit], Finding]


def test_a_search_without_rest_is_serious(sound: Fit, finding: Find) -> None:
    lost = finding("not_converged", replace(sound, status=FitStatus.NOT_CONVERGED))

    assert lost.severity is Severity.SERIOUS


def test_two_agreeing_starts_of_sixteen_are_too_few(sound: Fit, finding: Find) -> None:
    found = replace(sound, starts=Starts(tried=16, converged=9, agreeing=2))

    assert finding("starts_disagree", found).sentence == "Only 2 of 16 starts reached the best objective."


@pytest.mark.parametrize(
    ("ends", "words"),
    [({"E": 0.0}, "E = 0 ended at the limit"), ({"E": 0.0, "alpha": 10.0}, "E = 0 and alpha = 10 ended")],
)
def test_coefficients_at_their_limits_are_named(
    ends: dict[str, float], words: str, sound: Fit, finding: Find
) -> None:
    limits = {one.name: one.bounds[int(ends.get(one.name, 0) > 0)] for one in sound.law.coefficients}

    found = finding(
        "at_bound", replace(sound, coefficients={**sound.coefficients, **{n: limits[n] for n in ends}})
    )

    assert found.severity is Severity.SERIOUS
    assert list(found.evidence) == list(ends)
    assert found.sentence.endswith("do not determine it." if len(ends) == 1 else "do not determine them.")


@pytest.mark.parametrize(("failed", "severity"), [(1, Severity.NOTE), (3, Severity.WARNING)])
def test_refits_without_rest_are_a_warning_above_two_percent(
    failed: int, severity: Severity, sound_drawn: Fit, finding: Find
) -> None:
    assert sound_drawn.drawn is not None
    found = finding(
        "unconverged_draws", replace(sound_drawn, drawn=replace(sound_drawn.drawn, unconverged=failed))
    )

    assert found.severity is severity
    assert found.sentence.startswith(f"{failed} of 100 refits did not converge")
