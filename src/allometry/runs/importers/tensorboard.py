"""TensorBoard: a folder of event files, one row a run, as its own reader understands them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from allometry.errors import InputError, TableError
from allometry.extras import needed
from allometry.runs.importers import trackers
from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells
from allometry.runs.importers.headers import read_header

_PREFIX = "tensorboard:"
_EVENTS = "*tfevents*"
_DEPTH = 4  # folders below the one given in which event files are looked for before it is recognised
_COLUMNS = {**trackers.COLUMNS, "wall_seconds": "seconds"}
_HPARAMS = "_hparams_/session_start_info"


@dataclass
class _Log:
    """What the event files of one folder hold, filled while they are read."""

    scalars: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    hparams: dict[str, Any] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)
    last_step: int = 0
    seconds: float = 0.0


def read_folder(source: str) -> Cells:
    """Read every folder of event files below the one given as one run.

    A run has the last value of each scalar, the hyperparameters where they were logged, the last step and
    the seconds from the first to the last event, added over restarts. A scalar that names a learning rate
    gives its largest value, the peak, where no hyperparameter does. A record that a killed run left half
    written ends its file and loses nothing before it.

    Raises:
        InputError: If there is no such folder or it holds no event files.
        TableError: If no event file holds a scalar or hyperparameter.
        MissingExtra: If TensorBoard is not installed.
    """
    root = Path(source.removeprefix(_PREFIX))
    files = _event_files(root)
    logs = {folder: _read_log(paths) for folder, paths in files.items()}
    records = [_record(root, folder, log) for folder, log in _with_hparams(logs).items()]
    records = [record for record in records if record.asked or record.measured]
    if not records:
        raise TableError(
            f"{root}: no event file holds a scalar; give the folder that your trainer's SummaryWriter writes."
        )
    cells = trackers.cells_of_records(records, asked_as="hparams", measured_as="scalars", typed=True)
    return trackers.without_zeros(cells, _COLUMNS)


def _recognises(source: str) -> bool:
    folder = Path(source)
    return source.startswith(_PREFIX) or (
        folder.is_dir() and any(True for depth in range(_DEPTH) for _ in folder.glob("*/" * depth + _EVENTS))
    )


def _event_files(root: Path) -> dict[Path, list[Path]]:
    if not root.is_dir():
        raise InputError(f"There is no folder {root}.")
    found: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(root.rglob(_EVENTS)):  # their names begin with the time they were opened
        if path.is_file():
            found[path.parent].append(path)
    if not found:
        raise InputError(f"{root} holds no event files (events.out.tfevents.*); give the folder that does.")
    return dict(sorted(found.items()))


def _read_log(paths: Sequence[Path]) -> _Log:
    log = _Log()
    for path in paths:
        times = []
        for event in _events(path):
            times.append(event.wall_time)
            log.last_step = max(log.last_step, event.step)
            for value in event.summary.value:
                _add(value, log)
        log.seconds += max(times, default=0.0) - min(times, default=0.0)
    return log


def _events(path: Path) -> Iterator[Any]:
    loader = needed(
        "tensorboard.backend.event_processing.event_file_loader", "Reading event files", "tensorboard"
    )
    broken = needed("google.protobuf.message", "Reading event files", "tensorboard").DecodeError
    try:
        # The loader without the layers that bring old events to the newest form: three times as fast, and
        # scalars have had two forms only.
        yield from loader.LegacyEventFileLoader(str(path)).Load()
    except broken as error:
        raise TableError(f"{path} is not an event file of TensorBoard: {error}.") from error


def _add(value: Any, log: _Log) -> None:
    plugin = value.metadata.plugin_data.plugin_name
    if plugin:  # TensorFlow 2 says it with the first value of a tag only
        log.plugins[value.tag] = plugin
    if value.tag == _HPARAMS:
        log.hparams.update(_hparams(value.metadata.plugin_data.content))
    elif value.HasField("simple_value"):
        _add_scalar(value.tag, value.simple_value, log)
    elif value.HasField("tensor") and log.plugins.get(value.tag) == "scalars":
        _add_scalar(value.tag, _number(value.tensor), log)


def _add_scalar(tag: str, number: float, log: _Log) -> None:
    log.scalars[tag] = number
    if _is_learning_rate(tag):
        log.peaks[tag] = max(number, log.peaks.get(tag, number))


@cache  # a tag comes back at every step
def _is_learning_rate(tag: str) -> bool:
    meaning = read_header(tag)
    return meaning is not None and meaning.column == "learning_rate"


def _number(tensor: Any) -> float:
    convert = needed("tensorboard.util.tensor_util", "Reading event files", "tensorboard")
    return float(convert.make_ndarray(tensor).item())


def _hparams(content: bytes) -> dict[str, Any]:
    plugin = needed("tensorboard.plugins.hparams.metadata", "Reading event files", "tensorboard")
    session = plugin.parse_session_start_info_plugin_data(content)
    return {
        name: getattr(value, value.WhichOneof("kind"))
        for name, value in sorted(session.hparams.items())
        if value.WhichOneof("kind") in ("string_value", "number_value", "bool_value")
    }


def _with_hparams(logs: Mapping[Path, _Log]) -> dict[Path, _Log]:
    """Give runs the hyperparameters that `add_hparams` of PyTorch wrote in folders below theirs."""
    below = [folder for folder, log in logs.items() if log.hparams and _lacks_them(logs.get(folder.parent))]
    for folder in below:
        run = logs[folder.parent]
        run.hparams.update(logs[folder].hparams)
        run.scalars = logs[folder].scalars | run.scalars
    return {folder: log for folder, log in logs.items() if folder not in below}


def _lacks_them(run: _Log | None) -> bool:
    # A folder without scalars is no run: TensorFlow describes a whole sweep there, its runs stand below.
    return run is not None and bool(run.scalars) and not run.hparams


def _record(root: Path, folder: Path, log: _Log) -> trackers.Record:
    name = root.resolve().name if folder == root else folder.relative_to(root).as_posix()
    return trackers.Record(
        facts={"run_id": name, "last_step": log.last_step, "wall_seconds": log.seconds},
        asked=log.peaks | log.hparams,
        measured=log.scalars,
    )


importer = Importer(
    name="tensorboard",
    reads=(
        "A folder of TensorBoard event files (events.out.tfevents.*), each sub-folder one run: the last "
        "value of each scalar, the hyperparameters, the last step, the seconds. A bare 'loss' is left as "
        "found, for trainers log their training loss under it."
    ),
    source="TensorBoard, https://github.com/tensorflow/tensorboard (tensorboard/compat/proto/event.proto)",
    recognises=_recognises,
    read=read_folder,
    columns=_COLUMNS,
)
