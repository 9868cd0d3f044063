"""What can go wrong, as a tree.

AllometryError                everything raised on purpose
├── InputError (ValueError)   something given is wrong; the sentence names the value, the rule, the way out
│   ├── UnknownName           a name that no catalog holds
│   ├── TableError            a table that cannot be read as runs
│   │   └── MissingColumn     a column that is needed and not there
│   ├── RecipeError           a recipe or study file that is not valid
│   └── CorruptFile           a stored file that does not match its checksum or cannot be parsed
├── Refusal (ValueError)      the request is understood and impossible with this data
│   ├── FitError              too few runs, constant inputs, no finite start
│   └── ForecastError         a target already run, a register whose chain is broken
├── StudyError (OSError)      the study folder cannot be used: not writable, disk full
│   └── StudyBusy             another process holds it
└── MissingExtra (ImportError)  an optional dependency is not installed

A diverged or failed run is not an error: it is a `Run` with that status.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AllometryError(Exception):
    """Base of everything allometry raises on purpose."""


class InputError(AllometryError, ValueError):
    """Something that was given is wrong."""


class UnknownName(InputError):
    """A name that no catalog holds."""


class TableError(InputError):
    """A table that cannot be read as runs."""


class MissingColumn(TableError):
    """A column that is needed and not there."""


class RecipeError(InputError):
    """A recipe or study file that is not valid."""


class CorruptFile(InputError):
    """A stored file that does not match its checksum or cannot be parsed."""


class Refusal(AllometryError, ValueError):
    """A request that is understood and impossible with this data."""


class FitError(Refusal):
    """A fit that the data cannot carry."""


class ForecastError(Refusal):
    """A forecast that cannot be stated or scored."""


class StudyError(AllometryError, OSError):
    """A study folder that cannot be used."""


class StudyBusy(StudyError):
    """A study, or a run in it, that another process is working on."""


class MissingExtra(AllometryError, ImportError):
    """An optional dependency that is not installed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest, as the end of a sentence; empty if none is near.

    >>> did_you_mean("chinchila", ["chinchilla", "kaplan"])
    " Did you mean 'chinchilla'?"
    >>> did_you_mean("xyz", ["chinchilla", "kaplan"])
    ''
    """
    lowered = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=1)
    return f" Did you mean '{lowered[near[0]]}'?" if near else ""
