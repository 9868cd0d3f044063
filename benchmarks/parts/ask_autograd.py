"""Asked by benchmarks/parts/peers.py: the published procedure with the array library its notebook used.

In: params, tokens, loss; starts, as searched for; resamples, as rows drawn. Out: CPU seconds and objectives.
"""

import json
import sys
import time
from typing import Any

import autograd.numpy as np  # type: ignore[import-not-found]
from autograd import grad
from scipy.optimize import minimize

DELTA = 1e-3
HOFFMANN = np.array([np.log(406.4), np.log(410.7), np.log(1.69), 0.34, 0.28])


def objective(at: Any, params: Any, tokens: Any, loss: Any) -> Any:
    """Huber's penalty of the log residuals, summed; logarithms taken where they are needed."""
    a, b, e, alpha, beta = at
    powers = np.exp(a - alpha * np.log(params)) + np.exp(b - beta * np.log(tokens)) + np.exp(e)
    residuals = np.log(loss) - np.log(powers)
    size = np.abs(residuals)
    return np.sum(np.where(size <= DELTA, 0.5 * residuals**2, DELTA * (size - 0.5 * DELTA)))


def fits(data: Any, starts: Any) -> list[float]:
    """The point fit: differences for derivatives."""
    return [float(minimize(objective, start, args=data, method="L-BFGS-B").fun) for start in starts]


def refits(data: Any, resamples: Any) -> list[float]:
    """The bootstrap: one search by BFGS, from the published coefficients."""
    found = []
    for rows in resamples:
        drawn = tuple(column[rows] for column in data)
        end = minimize(objective, HOFFMANN, args=drawn, method="BFGS", jac=grad(objective))
        found.append(float(end.fun))
    return found


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    data = tuple(np.array(asked[name]) for name in ("params", "tokens", "loss"))
    np.seterr(all="ignore")
    begun = time.process_time()
    starts = fits(data, np.array(asked["starts"]))
    fitted = time.process_time()
    resamples = refits(data, np.array(asked["resamples"], dtype=int))
    seconds = {"starts_seconds": fitted - begun, "resamples_seconds": time.process_time() - fitted}
    json.dump({"starts": starts, "resamples": resamples, **seconds}, sys.stdout)


if __name__ == "__main__":
    main()
