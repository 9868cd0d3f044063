"""Two scores that jump: one is an artefact of exact match, the other a genuine break. Which is which?

Use: python examples/09_is_it_emergent.py [PICTURE]        (seconds; simulated; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from allometry.capabilities.emergence import Emergence, Skill, judge_emergence
from allometry.plots import emergence_chart, save_picture
from allometry.runs.run import Runs

LENGTH, ITEMS = 5, 1000
FLOPS = np.geomspace(1e18, 1e24, 12)


def outputs(times: float) -> Runs:
    """Answers of five tokens: -ln p falls as a power of compute, so many times as steep from 1e21 FLOP on."""
    place = np.log(FLOPS / 1e18)
    way = place + (times - 1) * np.maximum(np.log(FLOPS / 1e21), 0)
    token = np.exp(-1.4 * np.exp(-3.5 * way / way[-1]))
    right = np.random.default_rng(0).random((len(FLOPS), ITEMS, LENGTH)) < token[:, None, None]
    scores = {"score": right.all(axis=2).mean(axis=1), "token": right.mean(axis=(1, 2))}
    return Runs(pd.DataFrame({"flops": FLOPS, **scores, "documents": ITEMS}), source="simulated outputs")


def judged(times: float) -> Emergence:
    """The verdict on exact match, with the share of right tokens as the continuous metric."""
    return judge_emergence(outputs(times), Skill(score="score", continuous="token", length=LENGTH))


def main() -> None:
    """Print both verdicts, and draw the first."""
    smooth, broken = judged(1.0), judged(5.0)
    if len(sys.argv) > 1:
        save_picture(emergence_chart(smooth), Path(sys.argv[1]))
    sys.stdout.write(f"{smooth.summary()}\n\n{broken.summary()}\n")


if __name__ == "__main__":
    main()
