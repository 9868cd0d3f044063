"""Asked by benchmarks/parts/peers.py: `simple-scaling-laws` of PyPI on its own objective and defaults.

In: params, tokens, loss, run_id; params and tokens to predict at; level. Out: coefficients, CPU seconds of
the fit with its 1,000 draws, and for each place asked for the median and the ends of the interval.
"""

import json
import sys
import time
from typing import Any

import polars as pl  # type: ignore[import-not-found]
from simple_scaling_laws import fit  # type: ignore[import-not-found]

SIZE, DATA, LOSS = "model_size__n_params", "dataset_size__n_tokens", "test_loss__nats"


def forecasts(model: Any, asked: dict[str, Any]) -> list[list[float]]:
    """Median and interval of a new run at each place."""
    if not asked["at_params"]:
        return []
    places = {"point_id": [str(row) for row in range(len(asked["at_params"]))]}
    points = pl.DataFrame({**places, SIZE: asked["at_params"], DATA: asked["at_tokens"]})
    tail = (1 - asked["level"]) / 2
    predicted = model.predict(points, quantiles=[tail, 0.5, 1 - tail])
    names = [name for name in predicted.columns if name.startswith(f"{LOSS}__q")]
    columns = [f"{LOSS}__median", min(names), max(names)]
    return [list(row) for row in predicted.select(columns).iter_rows()]


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    table = {"training_run_id": asked["run_id"], SIZE: asked["params"], DATA: asked["tokens"]}
    runs = pl.DataFrame({**table, LOSS: asked["loss"]})
    begun = time.process_time()
    model = fit(runs, law="separable-power")
    seconds = time.process_time() - begun
    coefficients = {name: float(value) for name, value in model.params(LOSS).items()}
    answer = {"coefficients": coefficients, "seconds": seconds, "forecasts": forecasts(model, asked)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
