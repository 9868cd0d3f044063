"""Laws in the proportions of the domains that the training data mixes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from allometry.errors import InputError
from allometry.laws.coefficients import floor
from allometry.laws.definition import Coefficient, Family, Input, Law, law
from allometry.laws.mathematics import exp


def _proportion(name: str) -> Input:
    return Input(name=name, low=0.0, high=1.0, positive=False)


def _effect(name: str, meaning: str, typical: float) -> Coefficient:
    return Coefficient(
        name=name,
        meaning=meaning,
        unit="1",
        low=-6.0,
        high=4.0,
        positive=False,
        bounds=(-100.0, 100.0),
        typical=typical,
    )


_FLOOR = floor("loss that no mixture removes at this size and length", name="c", typical=1.32)
_REST = Coefficient(
    name="k",
    meaning="loss above the floor when all data is of the domain left out",
    unit="nat/token",
    low=1e-2,
    high=1e2,
    bounds=(1e-30, 1e60),
    typical=0.550,
)


@law(
    reads=(_proportion("proportion"),),
    source="Ye et al. 2024, arXiv:2403.16952",
    # k and t of GitHub's loss at 70M parameters and 10,000 steps are from the authors' notebook
    # mix_2_domains; c, which it does not print, is from a refit of the same five runs.
    coefficients=(_FLOOR, _REST, _effect("t", "log of what proportion 1 does to the loss above c", -2.4381)),
)
def mixture(r: Any, *, c: Any, k: Any, t: Any) -> Any:
    """The loss on one domain falls exponentially with a domain's share of a two-domain mixture.

    It holds for one held-out domain at one model size and run length: fit each domain's loss by itself.
    More domains are a member of the family: `mixture(web, code, books)`.

    >>> floor_and_reach = {"c": 1.0, "k": 2.0, "t": -1.0}
    >>> mixture.evaluate({"proportion": [0.0, 1.0]}, floor_and_reach).round(4).tolist()
    [3.0, 1.7358]
    """
    return c + k * exp(t * r)


_MEMBER = """The loss on one domain is exponential in the proportions of the domains mixed.

This is c + k exp(sum of t_j r_j) over all domains but '{last}'. Proportions sum to one, so adding a constant
to every t_j and dividing k by its exponential would change nothing: '{last}' is left out, k is the loss
above c of training on it alone, and t_j is the log of what training on domain j alone does to that.
Leaving out another domain gives the same predictions.

>>> from allometry.laws import read_law
>>> read_law("{name}").reads
{reads!r}
"""


def _member(*domains: str) -> Law:
    """The law of these domains; the last is the one left out."""
    _refuse(domains)
    *named, last = domains
    name = f"mixture({', '.join(domains)})"
    columns = tuple(f"proportion_{domain}" for domain in named)

    def formula(*r: Any, c: Any, k: Any, **t: Any) -> Any:
        return c + k * exp(sum(effect * share for effect, share in zip(t.values(), r, strict=True)))

    return replace(
        mixture,
        name=name,
        inputs=tuple(_proportion(column) for column in columns),
        symbols=tuple(f"r_{domain}" for domain in named),
        coefficients=(_FLOOR, _REST, *(_against(domain, last) for domain in named)),
        description=_MEMBER.format(last=last, name=name, reads=columns),
        function=formula,
    )


def _against(domain: str, last: str) -> Coefficient:
    # Ordinary: beside the domain itself, others of the authors' table move its loss by a factor of a few.
    return _effect(f"t_{domain}", f"log of what all '{domain}' in place of all '{last}' does", typical=-1.0)


def _refuse(domains: tuple[str, ...]) -> None:
    if len(domains) < 2 or len(set(domains)) < len(domains):
        raise InputError(
            f"A mixture needs two or more different domains, not '{', '.join(domains)}'; "
            "name them like mixture(web, code, books)."
        )
    for domain in domains:
        if not domain.isidentifier():
            raise InputError(
                f"'{domain}' cannot name a domain in a formula; use letters, digits and underscores, as in "
                f"the column proportion_web, and rename the column to match."
            )


MIXTURES = Family(
    name="mixture", arguments="the domains, the last of which is left out: web, code, books", member=_member
)

__test__ = {entry.name: entry.description for entry in (mixture, _member("web", "code", "books"))}
