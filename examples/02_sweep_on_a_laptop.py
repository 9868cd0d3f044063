"""From real text to a scored forecast, in Python: a ladder of small models, a law, a larger run, the verdict.

Use: python examples/02_sweep_on_a_laptop.py [FOLDER]        (some 20 seconds on two cores)

Run again, it trains nothing that is finished; killed, it goes on where it was. `allometry quickstart` does
the same with learning-rate checks, more sizes, a plan and a report.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import allometry as al
from allometry.recipe import AdamW, Data, StandardLibrary, Utf8Bytes, Wsd
from allometry.sweeps.designs import Size

SIZES = (
    Size(width=16, layers=1, heads=1),
    Size(width=32, layers=1, heads=2),
    Size(width=48, layers=2, heads=3),
)
HORIZONS = (65_536, 98_304, 163_840)
TARGET = Size(width=64, layers=2, heads=4)  # larger than any run of the ladder


def design(horizons: tuple[int, ...] = HORIZONS) -> al.Ladder:
    """Three sizes, each a trunk with a decay branch for every horizon."""
    base = al.Recipe(
        architecture=al.Transformer(vocab=257, context=64, width=32, layers=1, heads=2),
        optimizer=AdamW(learning_rate=0.006),
        schedule=Wsd(warmup_tokens=8_192, decay_fraction=0.25),
        data=Data(corpus=StandardLibrary(bytes=2_000_000), tokenizer=Utf8Bytes(), held_out_tokens=32_768),
        tokens=horizons[-1],
        batch_tokens=1024,
    )
    return al.Ladder(base=base, sizes=SIZES, horizons=horizons)


def target(ladder: al.Ladder) -> al.Recipe:
    """A larger model on the longest horizon, at the rate the ladder's rule gives its width."""
    shape = TARGET.of(ladder.base.architecture)
    rate = ladder.base.optimizer.learning_rate * ladder.base.architecture.width / shape.width
    return replace(
        ladder.base, architecture=shape, optimizer=replace(ladder.base.optimizer, learning_rate=rate)
    )


def foretell(study: al.Study, fit: al.Fit, recipe: al.Recipe) -> al.Forecast:
    """State what the larger run will measure, before it is trained; the register refuses it afterwards."""
    forecast = fit.predict(level=0.9, params=recipe.architecture.params(), tokens=recipe.tokens)
    if study.run(recipe.run_id) is None:
        al.register(
            forecast, study, target=recipe.run_id, assumptions="the same text and recipe, a larger model"
        )
    return forecast


def main(folder: str = "laptop-sweep", *, horizons: tuple[int, ...] = HORIZONS) -> None:
    """Print the law, the forecast, and what came of it."""
    ladder, study = design(horizons), al.Study.create(Path(folder), "")
    recipe = target(ladder)
    made = al.run_sweep(ladder, study, workers=2)
    runs = made.where(f"run_id <> '{recipe.run_id}'", because="the run that is forecast takes no part")
    fit = al.bootstrap(al.fit("kaplan", runs), draws=500)
    foretell(study, fit, recipe)
    measured = al.train(recipe, study=study)
    sys.stdout.write(f"{fit.summary()}\n\n")
    for row in al.score(study).itertuples():
        verdict = "inside" if row.inside else "outside"
        sys.stdout.write(
            f"Forecast for {recipe.architecture.params():,} parameters: {row.median:.4f} nat/token, 90% "
            f"range {row.low:.4f} to {row.high:.4f}\nMeasured: {measured.values['loss']:.4f}, {verdict}\n"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
