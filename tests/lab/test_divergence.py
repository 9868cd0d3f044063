"""A run that has diverged is told from one that is unlucky for a moment."""

import math

import pytest

from allometry.lab.divergence import Watch

UNIFORM = math.log(300)


def verdicts(*losses: float) -> list[str]:
    watch = Watch(vocab=300)
    return [watch.verdict(8 * (line + 1), loss) for line, loss in enumerate(losses)]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_line_that_is_not_finite_is_a_divergence(loss: float) -> None:
    assert verdicts(5.0, loss) == ["", "the loss was not finite"]


def test_a_line_far_above_the_uniform_guess_is_a_divergence() -> None:
    assert verdicts(UNIFORM + 0.99) == [""]
    assert verdicts(UNIFORM + 1.01) == ["the loss in training was over ln(vocab) + 1"]


def test_a_spike_that_stays_is_a_divergence_at_its_fourth_line() -> None:
    *before, last = verdicts(5.0, 2.0, 3.1, 3.1, 3.1, 3.1)

    assert not any(before)
    assert last == "the loss stayed more than 1 nat above its best for 4 lines of the curve"


def test_a_spike_that_passes_is_none() -> None:
    assert not any(verdicts(5.0, 2.0, 3.5, 3.5, 3.5, 2.9, 3.5, 3.5, 3.5, 2.1))


def test_a_plateau_within_a_nat_of_the_best_is_none() -> None:
    assert not any(verdicts(5.0, 2.0, *[2.99] * 40))


def test_the_last_good_step_is_before_the_spike() -> None:
    watch = Watch(vocab=300)
    for line, loss in enumerate((5.0, 2.0, 3.1, 3.1, 3.1, 3.1)):
        watch.verdict(8 * (line + 1), loss)

    assert watch.last_good == 16


def test_following_a_curve_is_having_seen_it() -> None:
    losses = (5.0, 2.0, 3.1, 3.1, 3.1)
    seen, told = Watch(vocab=300), Watch(vocab=300)
    for line, loss in enumerate(losses):
        seen.verdict(8 * (line + 1), loss)

    told.follow({"step": 8 * (line + 1), "loss": loss} for line, loss in enumerate(losses))

    assert told == seen
    assert told.verdict(48, 3.1) != ""
