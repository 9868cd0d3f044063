"""Ask and tell: a study says what to train next, and whoever trains it says what came out.

For trainers that are not started by a command: a notebook, a job system of one's own, a person. Several
processes may ask one study; a run that is asked for is held by the process that asked until it tells or ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from allometry.errors import InputError
from allometry.files import write_atomically
from allometry.recipe import Recipe
from allometry.recipe.facts import recipe_facts
from allometry.runs.claiming import Claim, try_claim
from allometry.runs.run import FINISHED, Run
from allometry.runs.study import Study
from allometry.sweeps.designs import Design, Planned
from allometry.sweeps.spec import read_spec
from allometry.sweeps.trainers.measured import measured


@dataclass
class Asking:
    """A study that is asked for runs and told of results.

    >>> import tempfile
    >>> from allometry.recipe import AdamW, Constant, Data, TextFiles, Utf8Bytes
    >>> from allometry.architectures import Transformer
    >>> from allometry.sweeps.designs import Grid
    >>> base = Recipe(architecture=Transformer(vocab=257, context=32, width=16, layers=2, heads=1),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Constant(), tokens=1024, batch_tokens=64,
    ...     data=Data(corpus=TextFiles(paths=("a.txt",)), tokenizer=Utf8Bytes()))
    >>> study = Study.create(tempfile.mkdtemp(), "")
    >>> with ask(study, Grid(base=base, vary={"tokens": [1024, 2048]})) as asking:
    ...     for recipe in asking:
    ...         run = asking.tell(recipe, loss=3.0 + 1 / recipe.tokens)
    >>> study.runs().table["status"].tolist()
    ['done', 'done']
    """

    study: Study
    design: Design
    _held: dict[str, Claim] = field(default_factory=dict)
    _given_up: set[str] = field(default_factory=set)
    _about: dict[str, dict[str, str]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Recipe]:
        """Runs to make, one after the other, until there is none; the design is asked again after each."""
        while (recipe := self.next()) is not None:
            yield recipe

    def next(self) -> Recipe | None:
        """A run to make, which is now this process's; None if there is none that another does not have."""
        runs = self.study.runs()
        for planned in self.design.recipes(runs):
            if self._is_open(planned) and self._hold(planned):
                return planned.recipe
        return None

    def tell(self, recipe: Recipe, **values: float | str) -> Run:
        """Record what came out.

        Args:
            values: Columns in base units, `loss` (nat/token) among them; not finite: the run diverged. They
                hold against what follows from the recipe; one that is called as the study's own, such as
                `status`, is kept as `trainer_status`.

        Raises:
            InputError: If there is no loss, a column of numbers is told text, or the run was not asked for.
            StudyBusy: If another process has taken the run up, as this one gave no sign of life.
        """
        if "loss" not in values:
            raise InputError(f"Run {recipe.run_id} is told without a loss; give loss=, in nat/token.")
        said = self._read(recipe, values)
        diverged = not math.isfinite(said["loss"])
        kept = {name: value for name, value in said.items() if not (diverged and name == "loss")}
        facts = {**recipe_facts(recipe), **self._about.get(recipe.run_id, {}), **kept}
        reason = "its loss is not a finite number" if diverged else ""
        run = Run(
            run_id=recipe.run_id, status="diverged" if diverged else "done", values=facts, reason=reason
        )
        return self._record(recipe, run)

    def tell_failure(self, recipe: Recipe, reason: str) -> Run:
        """Record that a run could not be made; it is not asked for again before the next `ask`.

        Raises:
            InputError: If the run was not asked for.
        """
        values: dict[str, Any] = {**recipe_facts(recipe), **self._about.get(recipe.run_id, {})}
        self._given_up.add(recipe.run_id)
        return self._record(recipe, Run(run_id=recipe.run_id, status="failed", values=values, reason=reason))

    def close(self) -> None:
        """Let go of what was asked for and not told."""
        for held in self._held.values():
            held.release()
        self._held.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, recipe: Recipe, values: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return measured(values)
        except InputError as error:
            raise InputError(f"What is told of run {recipe.run_id}: {error}") from error

    def _is_open(self, planned: Planned) -> bool:
        run_id = planned.recipe.run_id
        if planned.design == "trunk" or run_id in self._held or run_id in self._given_up:
            return False  # whoever trains, trains straight
        run = self.study.run(run_id)
        return run is None or run.status not in FINISHED

    def _hold(self, planned: Planned) -> bool:
        run_id = planned.recipe.run_id
        claim = try_claim(self.study.run_folder(run_id))
        if claim is None:
            return False
        if not self._is_open(planned):
            claim.release()
            return False  # another process told of it since we looked
        self._held[run_id] = claim
        # With the time: what is forecast while a run is out is not forecast before it.
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._about[run_id] = {"design": planned.design, "started": started}
        return True

    def _record(self, recipe: Recipe, run: Run) -> Run:
        held = self._held.pop(recipe.run_id, None)
        if held is None:
            raise InputError(
                f"Run {recipe.run_id} was not asked for, or was told already; tell only what `ask` gave."
            )
        try:
            held.confirm()
            folder = self.study.run_folder(run.run_id)
            write_atomically(folder / "recipe.toml", recipe.to_toml())
            self.study.save_run(run)
        finally:
            held.release()
        return run


def ask(study: Study, design: Design | None = None) -> Asking:
    """Ask a study for runs to make and tell it what came out.

    Args:
        design: What to ask for; that of the study's study.toml if None.

    Raises:
        RecipeError: If study.toml is not valid.
    """
    return Asking(study=study, design=design or read_spec(study).design)
