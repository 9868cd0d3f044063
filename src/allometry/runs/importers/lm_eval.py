"""lm-evaluation-harness: a long table of scores, one row a model, task, metric and filter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from allometry.errors import TableError
from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells, cells_of_rows, read_json
from allometry.runs.importers.folders import any_below, files_below, head, run_name

# results_<time>.json, or <name>_<time>.json where the user named the file.
_FILES = ("results*.json", "*_20[0-9][0-9]-[01][0-9]-[0-3][0-9]T*.json")
_IS_RESULTS = re.compile(rb'\s*\{\s*"results"\s*:\s*\{')
_NOT_METRICS = {"alias", "name", "sample_len", "sample_count", "samples"}
# The first of these that is given names the model, as in the harness: an adapter before what it adapts.
_MODEL_ARGS = ("peft", "delta", "pretrained", "model", "path", "engine")


def _recognises(source: str) -> bool:
    path = Path(source)
    return _is_results(path) if path.is_file() else any(map(_is_results, any_below(source, *_FILES)))


def _is_results(path: Path) -> bool:
    return path.suffix == ".json" and _IS_RESULTS.match(head(path, 100)) is not None


def _read(source: str) -> Cells:
    """One row a score; `kind` says whether `task` is a single task or a group, which averages its tasks.

    A checkpoint that was evaluated by its revision is a run of its own, "model@revision".

    Raises:
        InputError: If there is no such file or folder.
        TableError: If a file is not a result of the harness, or none holds a score.
    """
    files = [file for file in files_below(source, *_FILES) if file == Path(source) or _is_results(file)]
    rows = [row for file in files for row in _rows(_results(file), run_name(file, source))]
    if not rows:
        raise TableError(
            f"{source} holds no scores of lm-evaluation-harness; give its results_*.json or their folder."
        )
    return cells_of_rows(rows, source)


def _results(file: Path) -> Mapping[str, Any]:
    results = read_json(file)
    if not isinstance(results, dict) or not _are_scores(results.get("results")):
        raise TableError(
            f"{file} is not a result of lm-evaluation-harness: it needs 'results', with one object a task."
        )
    return results


def _are_scores(tasks: Any) -> bool:
    return isinstance(tasks, dict) and all(isinstance(scores, dict) for scores in tasks.values())


def _rows(results: Mapping[str, Any], file: str) -> Iterator[dict[str, Any]]:
    model = _model(results, file)
    groups = results.get("groups")
    # Up to version 0.4.9 a group stands among the tasks too.
    tasks = results["results"] | (groups if _are_scores(groups) else {})
    for task, scores in tasks.items():
        described = model | _task(results, task)
        for key, value in scores.items():
            if key not in _NOT_METRICS and _is_number(value) and "_stderr" not in key:
                yield described | _score(results, task, key, scores)


def _model(results: Mapping[str, Any], file: str) -> dict[str, Any]:
    config = _mapping(results, "config")
    args = _arguments(config.get("model_args"))
    named = [results.get("model_name"), *(args.get(key) for key in _MODEL_ARGS)]
    model = next((name for name in named if isinstance(name, str) and name), file)
    revision = args.get("revision")
    return {
        "run_id": f"{model}@{revision}" if revision and revision != "main" else model,
        "model": model,
        "model_num_parameters": config.get("model_num_parameters"),
        "date": results.get("date"),
    }


def _arguments(given: Any) -> Mapping[str, Any]:
    """The arguments of the model: an object since version 0.4.10, before that "pretrained=…,revision=…"."""
    if isinstance(given, dict):
        return given
    pairs = (part.partition("=") for part in given.split(",")) if isinstance(given, str) else ()
    return {key.strip(): value for key, _, value in pairs}


def _task(results: Mapping[str, Any], task: str) -> dict[str, Any]:
    is_group = task in _mapping(results, "groups") or bool(_mapping(results, "group_subtasks").get(task))
    return {
        "task": task,
        "kind": "group" if is_group else "task",
        "n": _mapping(_mapping(results, "n-samples"), task).get("effective"),
        "n_shot": _mapping(results, "n-shot").get(task),
        "version": _mapping(results, "versions").get(task),
    }


def _score(results: Mapping[str, Any], task: str, key: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    metric, comma, filtered = key.partition(",")
    error = scores.get(f"{metric}_stderr{comma}{filtered}")
    return {
        "metric": metric,
        "filter": filtered or "none",
        "value": scores[key],
        "stderr": error if _is_number(error) else None,
        "higher_is_better": _mapping(_mapping(results, "higher_is_better"), task).get(metric),
    }


def _mapping(within: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = within.get(key)
    return found if isinstance(found, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


importer = Importer(
    name="lm_eval",
    reads=(
        "A results_*.json of lm-evaluation-harness, or a folder of them: one row a model, task, metric and "
        "filter, with standard errors."
    ),
    source="EvaluationTracker of https://github.com/EleutherAI/lm-evaluation-harness, versions 0.3 to 0.4.13",
    recognises=_recognises,
    read=_read,
    columns={"n": "documents", "model_num_parameters": "params_total"},
)
