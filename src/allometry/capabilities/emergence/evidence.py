"""What each of the four steps found, as findings."""

from __future__ import annotations

import math
from collections.abc import Iterator

from allometry.capabilities.emergence.bends import BREAK, Bend, Shape
from allometry.capabilities.emergence.scores import Scores
from allometry.capabilities.emergence.verdict import ENOUGH, Steps
from allometry.fitting.checks.definition import note, warning
from allometry.fitting.result import Finding

_CLUSTERED = 0.8  # of the stated length: below it right tokens come together


def evidence(data: Scores, steps: Steps) -> tuple[Finding, ...]:
    """One finding a step, and what weakens the verdict."""
    made = [_resolution(data, steps), _jump(steps), _continuous(data, steps)]
    if steps.length is not None:
        made.append(_length(steps))
    if steps.continuous is not None and steps.continuous.shape is not Shape.SMOOTH:
        made.append(_break(steps.continuous, data.scale))
    return (*made, *_weak(steps))


def _resolution(data: Scores, steps: Steps) -> Finding:
    found = steps.resolution
    if found is None:
        return warning(
            "items_unknown",
            "Step 1, resolution: the number of items is not known, so noise is judged by the scatter alone.",
            "Give items=, a number or a column.",
        )
    guessing = f"guessing ({data.skill.chance:g})"
    evidence = {"at_floor": float(found.at_floor), "smallest": found.smallest}
    if not found.at_floor:
        return note("resolved", f"Step 1, resolution: every score is told from {guessing}.", "", evidence)
    sentence = (
        f"Step 1, resolution: {found.at_floor} of {len(found.told)} scores cannot be told from {guessing}; "
        f"these items show a score from {found.smallest:.4g} on."
    )
    return note("below_resolution", sentence, "More items show smaller scores.", evidence)


def _jump(steps: Steps) -> Finding:
    seen = "bends upwards" if steps.jump.seen else "does not bend upwards"
    sentence = f"The score {seen} in log scale (chi-square {steps.jump.gain:.1f} beyond a steady rise)."
    return note("jump" if steps.jump.seen else "no_jump", sentence, "", {"gain": steps.jump.gain})


def _continuous(data: Scores, steps: Steps) -> Finding:
    bend = steps.continuous
    if bend is None:
        return warning(
            "no_continuous_metric",
            f"Step 2: there is no continuous metric of the same outputs; of the score, {_laws(steps.own)}.",
            "Score the same outputs by the probability of the right tokens, or by edit distance.",
            _numbers(steps.own),
        )
    name = data.skill.continuous
    says = {
        Shape.SMOOTH: f"follows one {bend.form}",
        Shape.BROKEN: "follows no smooth law",
        Shape.UNCLEAR: "does not say whether it breaks",
    }[bend.shape]
    return note(
        f"continuous_{bend.shape.value}", f"Step 2: '{name}' {says}; {_laws(bend)}.", "", _numbers(bend)
    )


def _laws(bend: Bend) -> str:
    return (
        f"QAICc of the smooth law less that of the broken one {bend.gain:+.1f}, "
        f"a break of slope x{BREAK:g} fits worse by {bend.against_break:+.1f}"
    )


def _numbers(bend: Bend) -> dict[str, float | str]:
    return {
        "gain": bend.gain, "against_break": bend.against_break, "held_out": bend.held_out,
        "dispersion": bend.dispersion, "form": bend.form,
    }  # fmt: skip


def _length(steps: Steps) -> Finding:
    found = steps.length
    assert found is not None  # the caller asks for this step only where there is a length
    numbers = {
        "misfit": found.misfit,
        "probability": found.probability,
        "distance": found.distance,
        "effective": found.effective,
    }
    chance = "" if math.isnan(found.probability) else f", probability {found.probability:.2g}"
    power = f"the smooth law to the power {found.length:g}"
    apart = f"mean distance {found.distance:.3f}{chance}"
    if found.holds:
        return note("length_holds", f"Step 3: {power} explains the score ({apart}).", "", numbers)
    sentence = (
        f"Step 3: {power} does not explain the score ({apart}); the power {found.effective:.2g} is nearest."
    )
    clustered = found.effective < _CLUSTERED * found.length
    remedy = "Right tokens come together: answers are not right token by token." if clustered else ""
    return warning("length_fails", sentence, remedy, numbers)


def _break(bend: Bend, scale: str) -> Finding:
    if bend.ratio <= 1:
        return note(
            "no_break", "Step 4: no law with a turn to a steeper slope fits better.", "", _numbers(bend)
        )
    steeper = "from flat" if math.isinf(bend.ratio) else f"{bend.ratio:.3g} times as steep"
    better = "better" if bend.held_out < 1 else "worse"
    sentence = (
        f"Step 4: the best broken law turns {steeper} at {scale} {bend.break_at:.3g} and forecasts scales "
        f"left out {better} (deviance x{bend.held_out:.2g})."
    )
    return note("break", sentence, "", {**_numbers(bend), "break_at": bend.break_at, "ratio": bend.ratio})


def _weak(steps: Steps) -> Iterator[Finding]:
    if steps.scales < ENOUGH:
        yield warning(
            "few_scales", f"{steps.scales} scales are too few for a verdict.", f"Score {ENOUGH} or more."
        )
    if steps.own.dispersion > 3 and steps.resolution is not None:
        yield warning(
            "overdispersed",
            f"Scores scatter {steps.own.dispersion**0.5:.1f} times as far as their items explain.",
            "Models differ by more than scale: judge one family at a time.",
            {"dispersion": steps.own.dispersion},
        )
