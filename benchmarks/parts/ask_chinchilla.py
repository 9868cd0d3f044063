"""Asked by benchmarks/parts/peers.py: `chinchilla` of PyPI on its own objective and defaults.

In: params, tokens, loss; levels, the values of each coefficient in its grid of starts (its README has five).
Out: coefficients and the CPU seconds of all its processes, without its plot.
"""

import json
import resource
import sys
import tempfile

import numpy as np
import pandas as pd
from chinchilla import Chinchilla  # type: ignore[import-not-found]


def cpu() -> float:
    """CPU seconds of this process and of those it waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    levels = asked["levels"]
    table = pd.DataFrame({"N": asked["params"], "D": asked["tokens"], "loss": asked["loss"]})
    table.insert(0, "C", 6 * table["N"] * table["D"])
    ends = {"E": (1, 2), "a": (1, 10), "b": (1, 10), "alpha": (0.1, 0.7), "beta": (0.1, 0.7)}
    with tempfile.TemporaryDirectory() as folder:
        table.to_csv(f"{folder}/df.csv", index=False)
        grid = {name: np.linspace(*pair, levels) for name, pair in ends.items()}
        fitted = Chinchilla(folder, param_grid=grid, log_level=40)
        fitted.visualizer.optim = lambda *args, **kwargs: None
        begun = cpu()
        fitted.fit()
        seconds = cpu() - begun
    coefficients = {name: float(value) for name, value in fitted.params.items()}
    json.dump({"coefficients": coefficients, "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
