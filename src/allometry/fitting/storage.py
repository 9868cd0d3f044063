"""A fit as a file: JSON at full precision, whole or not there at all, with a checksum."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allometry.errors import CorruptFile, InputError
from allometry.files import write_atomically
from allometry.fitting.result import Draws, Finding, Fit, FitData, FitStatus, Sampling, Severity, Starts
from allometry.laws import FAMILIES, LAWS, Law, read_law
from allometry.runs.run import Filter

FORMAT = 3
_READ = (2, 3)  # 3 added how a posterior was sampled


def save(fit: Fit, path: Path) -> None:
    """Write a fit; `Fit.save` is the front of this.

    Raises:
        StudyError: If the file cannot be written; one that was there is then unchanged.
    """
    content = _content(fit)
    write_atomically(path, json.dumps({**content, "checksum": _checksum(content)}, indent=1, allow_nan=False))


def load(path: Path, law: Law | None = None) -> Fit:
    """Read a fit; `Fit.load` is the front of this."""
    if not path.is_file():
        raise InputError(f"There is no file '{path}'. A fit is written with fit.save(path).")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        content = {key: value for key, value in stored.items() if key != "checksum"}
        whole = stored["checksum"] == _checksum(content)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CorruptFile(f"'{path}' is not a saved fit, or it was cut off: it cannot be read.") from error
    if not whole:
        raise CorruptFile(f"'{path}' was changed after it was saved: its checksum does not match.")
    if content["format"] not in _READ:
        raise InputError(
            f"'{path}' has format {content['format']} and this is allometry {version('allometry')}, which "
            f"reads formats {_READ[0]} to {_READ[-1]}; it was written by allometry {content['allometry']}."
        )
    known = _law(content["law"], law, path)
    try:
        return _fit(content, known)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFile(
            f"'{path}' lacks what a saved fit holds, or holds it otherwise: {error}."
        ) from error


def _content(fit: Fit) -> dict[str, Any]:
    law = {"name": fit.law.name, "formula": fit.law.formula, "source": fit.law.source}
    data = {
        "inputs": {name: values.tolist() for name, values in fit.data.inputs.items()},
        "output": fit.data.output.tolist(),
        "weights": fit.data.weights.tolist(),
        "run_ids": list(fit.data.run_ids),
        "facts": {
            str(name): [None if pd.isna(value) else value for value in fit.data.facts[name].tolist()]
            for name in fit.data.facts.columns
        },
    }
    return {
        "format": FORMAT,
        "allometry": version("allometry"),
        "law": law,
        "coefficients": dict(fit.coefficients),
        "objective_value": fit.objective_value,
        **{key: getattr(fit, key) for key in _PLAIN},
        **{key: dict(getattr(fit, key)) for key in ("held", "inputs", "conventions")},
        "status": fit.status.value,
        "starts": asdict(fit.starts),
        "findings": [asdict(finding) for finding in fit.findings],
        "filters": [asdict(entry) for entry in fit.filters],
        "drawn": None if fit.drawn is None else asdict(fit.drawn),
        "draws": None if fit.draws is None else {str(n): fit.draws[n].tolist() for n in fit.draws.columns},
        "data": data,
        "data_hash": fit.data_hash,
    }


_PLAIN = ("objective", "delta", "on", "seed", "weighting", "output", "unit", "source")


def _fit(content: dict[str, Any], law: Law) -> Fit:
    data = content["data"]
    return Fit(
        law=law,
        coefficients={name: float(value) for name, value in content["coefficients"].items()},
        objective_value=content["objective_value"],
        **{key: content[key] for key in (*_PLAIN, "held", "inputs", "conventions")},
        status=FitStatus(content["status"]),
        starts=Starts(**content["starts"]),
        findings=tuple(
            Finding(**{**entry, "severity": Severity(entry["severity"])}) for entry in content["findings"]
        ),
        filters=tuple(Filter(**entry) for entry in content["filters"]),
        drawn=None if content["drawn"] is None else _draws(content["drawn"]),
        draws=None if content["draws"] is None else pd.DataFrame(content["draws"], columns=list(law.names)),
        data=FitData(
            inputs={name: np.array(values, dtype=np.float64) for name, values in data["inputs"].items()},
            output=np.array(data["output"], dtype=np.float64),
            weights=np.array(data["weights"], dtype=np.float64),
            run_ids=tuple(data["run_ids"]),
            facts=pd.DataFrame(data["facts"]),
        ),
    )


def _draws(stored: dict[str, Any]) -> Draws:
    sampling = stored.get("sampling")
    return Draws(**{**stored, "sampling": None if sampling is None else Sampling(**sampling)})


def _law(stored: dict[str, str], given: Law | None, path: Path) -> Law:
    name = stored["name"]
    if given is None and name not in LAWS and name.partition("(")[0] not in FAMILIES:
        raise InputError(
            f"'{path}' holds a fit of '{name}', which is in no catalog: {stored['formula']}. "
            f"Give the law: Fit.load(path, law={name}) (command line: --law FILE.py:{name})."
        )
    law = given or read_law(name)
    if law.formula != stored["formula"]:
        raise InputError(
            f"'{path}' was fitted with {stored['formula']}; '{law.name}' is now {law.formula}. Fit again."
        )
    return law


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
