"""The command on emergence: is a jump in a score real, and where does a capability appear?"""

from __future__ import annotations

from allometry.cli.application import EVERYTHING, Flag, Selection, Words, chosen_runs
from allometry.cli.capability import capability
from allometry.cli.experiments import Picture


@capability.command
def emergence(
    source: str,
    *,
    score: Words,
    length: Words = (),
    chance: Words = (),
    scale: str = "flops",
    items: str | None = None,
    threshold: float | None = None,
    selection: Selection = EVERYTHING,
    level: float = 0.95,
    draws: int = 400,
    seed: int = 0,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Judge whether jumps in scores are real, artefacts of the metric or undecided, and where they set in.

    Parameters
    ----------
    source
        A table of scores by scale, the folder of a study, or another source.
    score
        A column of scores, or score=metric with a continuous metric of the same outputs; may be repeated.
    length
        Tokens of an answer, all of which must be right, score=5; may be repeated.
    chance
        The score of guessing, score=0.25; may be repeated.
    scale
        The column of the scale.
    items
        The number of problems behind each score, or its column; documents if there is such a column.
    threshold
        The score whose crossing is the onset; half of the way from guessing to 1 if not given.
    level
        Of the intervals.
    draws
        Curves that the onset is read from.
    seed
        Of these draws.
    plot
        Where to save the first task as a picture: a .svg or .png file.
    json
        Print verdicts, evidence and onsets as JSON.
    """
    from allometry.capabilities.emergence import judge_all, read_items, read_skills
    from allometry.plots.emergence import emergence_chart
    from allometry.plots.pictures import save_picture
    from allometry.report.terminal import pairs, show

    lengths, guessing = ({n: float(v) for n, v in pairs(words).items()} for words in (length, chance))
    found = judge_all(
        chosen_runs(source, selection), read_skills(score, length=lengths, chance=guessing), scale=scale,
        items=read_items(items), threshold=threshold, level=level, draws=draws, seed=seed,
    )  # fmt: skip
    if plot:
        save_picture(emergence_chart(found[0]), plot)
    return show([one.facts() for one in found], "\n\n".join(one.summary() for one in found), json)
