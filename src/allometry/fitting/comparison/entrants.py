"""Who takes part in a comparison: laws with the columns they read, and two forecasts any law must beat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from allometry.errors import InputError, did_you_mean
from allometry.fitting.objectives import ObjectiveName
from allometry.laws import Law, power_law, read_law

LINE = "log-log line"
NO_CHANGE = "no change"
BASELINES = (LINE, NO_CHANGE)

Named = Law | str
Given = Named | tuple[Named, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One law in a comparison.

    Attributes:
        name: What tables and plots call it.
        group: The law's name without the objective: entrants of one group differ by objective only.
        inputs: The law's input name to column, where they differ.
        objective: What its fits minimise.
    """

    name: str
    group: str
    law: Law
    inputs: Mapping[str, str] = field(default_factory=dict)
    objective: ObjectiveName = "huber"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns it reads."""
        return tuple(self.inputs.get(name, name) for name in self.law.reads)


def read_entrants(
    laws: Given | Iterable[Given] | Mapping[str, Given],
    inputs: Mapping[str, Mapping[str, str]] | None = None,
    objectives: Sequence[ObjectiveName] = ("huber",),
) -> tuple[Entrant, ...]:
    """Laws as they were given, each with each objective.

    A law of one input x reads flops unless it is told otherwise.

    Raises:
        InputError: If there is none, two have one name, or `inputs` names a law that takes no part.

    >>> [one.name for one in read_entrants(["chinchilla", ("power_law", {"x": "tokens"})])]
    ['chinchilla', 'power_law']
    """
    found = [_read(name, given, inputs or {}) for name, given in _listed(laws)]
    if not found or not objectives:
        raise InputError('Name at least one law and one objective to compare, for example "chinchilla".')
    names = [name for name, _, _ in found]
    twice = sorted({name for name in names if names.count(name) > 1 or name in BASELINES})
    if twice:
        raise InputError(
            f"'{twice[0]}' would stand for two entrants; give them names of their own: "
            f'compare({{"mine": "{twice[0]}", ...}}, runs).'
        )
    for name in inputs or {}:
        if name not in names:
            raise InputError(f"inputs names '{name}', which takes no part.{did_you_mean(name, names)}")
    return tuple(
        Entrant(name=_name(name, one, objectives), group=name, law=law, inputs=mapped, objective=one)
        for name, law, mapped in found
        for one in objectives
    )


def line() -> Entrant:
    """The plain line: log of the output against log of compute, by least squares."""
    return Entrant(name=LINE, group=LINE, law=power_law, inputs={"x": "flops"}, objective="least_squares")


def _listed(laws: Given | Iterable[Given] | Mapping[str, Given]) -> list[tuple[str, Given]]:
    if isinstance(laws, Mapping):
        return list(laws.items())
    if isinstance(laws, Law | str) or _is_pair(laws):
        return [("", laws)]  # type: ignore[list-item]
    return [("", one) for one in laws]  # type: ignore[misc]


def _is_pair(given: object) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)


def _read(
    name: str, given: Given, inputs: Mapping[str, Mapping[str, str]]
) -> tuple[str, Law, Mapping[str, str]]:
    named, mapped = given if isinstance(given, tuple) else (given, {})
    law = read_law(named) if isinstance(named, str) else named
    name = name or law.name
    mapped = {**mapped, **inputs.get(name, {})}
    if law.reads == ("x",) and not mapped:
        mapped = {"x": "flops"}
    return name, law, mapped


def _name(name: str, objective: str, objectives: Sequence[str]) -> str:
    return name if len(objectives) == 1 else f"{name}, {objective}"
