"""Who makes a run: a claim is a small file in the run's folder, which its holder renews while it lives.

runs/<run_id>/claim.json   machine, process, token, begun; the time of its last change is the last beat

Nothing is locked and nothing is waited for. A claim is made by linking a finished file to its name, which
fails where there is one. It is stale once its process is gone, where that can be seen from here, or once it
has not beaten for a minute by the clock of the file system: clocks of machines differ. A stale one is moved
to a name of one's own, which one of many can do, and is put back if it was not the stale one after all. A
holder looks at its claim before each write and stops when the claim has become another's.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from allometry.errors import StudyBusy
from allometry.files import clock_ns, explained
from allometry.runs.processes import Process
from allometry.storage import in_object_storage, require_folder

CLAIM = "claim.json"
BEAT = 10.0  # seconds between beats
STALE_SECONDS = 6 * BEAT  # six were missed: longer than file systems that many machines share usually hang
AHEAD_SECONDS = 3600.0  # of the file system's clock: no two that are kept at all differ by as much
_TRIES = 5  # at a claim that others also want
_PUT_BACK = 0.05  # seconds for a claim to come back that was moved by mistake
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Whose a claim is.

    Attributes:
        process: That made it.
        token: Of this claim and no other.
        begun: When, UTC, by the clock of its machine.
        beat_ns: When it last beat, by the clock of the file system.
    """

    process: Process
    token: str
    begun: str
    beat_ns: int

    def is_gone(self, now_ns: int) -> bool:
        """Whether the run may be taken up by another: the holder has ended, or is silent for too long.

        Args:
            now_ns: By the clock of the file system.
        """
        silent = (now_ns - self.beat_ns) / 1e9
        # Machines that take a file's time from their own clocks may be minutes apart. A beat from further
        # ahead was made before the clock was set back, and would look fresh until it has caught up.
        return self.process.has_ended() or not -AHEAD_SECONDS <= silent <= STALE_SECONDS


@dataclass
class Claim:
    """A run that is this process's to make.

    Attributes:
        folder: Of the run.
        lost: It was found to be another's by now.
    """

    folder: Path
    text: bytes = field(repr=False)
    lost: bool = False
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        threading.Thread(target=self._beat, name=f"beat of {self.folder.name}", daemon=True).start()

    def confirm(self) -> None:
        """Look whether the claim still holds; asked before anything is written.

        Raises:
            StudyBusy: If another process has taken the run up since.
        """
        self.lost = self.lost or not self._stands()
        if self.lost:
            raise StudyBusy(
                f"Run {self.folder.name} was taken up by another process after this one had given no sign of "
                f"life for {STALE_SECONDS:g} s: this one stops and writes nothing more."
            )

    def release(self) -> None:
        """Let go of the run."""
        self._over.set()
        with contextlib.suppress(OSError):  # it then goes stale
            _moved_away(self.folder / CLAIM, self.text)

    def _stands(self) -> bool:
        path = self.folder / CLAIM
        if _text_of(path) == self.text:
            return True
        time.sleep(_PUT_BACK)
        return _text_of(path) == self.text

    def _beat(self) -> None:
        # A thread, and not the steps of the run: an evaluation or a compilation may take minutes.
        while not self._over.wait(BEAT) and not self.lost:
            with contextlib.suppress(OSError):  # a file system that hangs now may answer the next beat
                self.lost = not self._stands()
                if not self.lost:
                    os.utime(self.folder / CLAIM)


@contextlib.contextmanager
def claimed(folder: Path, *, patience: float = 0.0) -> Iterator[Claim]:
    """Hold a run, so that no other process makes it.

    Args:
        folder: Of the run; it is made if missing.
        patience: Seconds to wait for another process to let go of it.

    Raises:
        StudyBusy: If another process still has it then.
        StudyError: If the folder cannot be written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "runs" / "a1"
    >>> with claimed(folder):
    ...     holder_of(folder) is not None
    True
    >>> holder_of(folder) is None
    True
    """
    deadline = time.monotonic() + patience
    while (claim := try_claim(folder)) is None:
        if time.monotonic() >= deadline:
            raise StudyBusy(f"Run {folder.name} is being made by another process{_named(folder)}.")
        time.sleep(0.2)
    try:
        yield claim
    finally:
        claim.release()


def try_claim(folder: Path) -> Claim | None:
    """Claim a run, or take over a claim whose holder is gone; None if another process has it.

    Raises:
        StudyError: If the folder cannot be written.
    """
    require_folder(folder, "Making a run", "make it in one and merge that study into this one.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / CLAIM
        for _ in range(_TRIES):
            if not _is_free(folder):
                return None
            text = _own_text()
            if put_new(path, text):
                return Claim(folder, text)
    return None


def holder_of(folder: Path) -> Holder | None:
    """Who is making a run; None if nobody is."""
    found = look(folder)
    return None if found is None or found.is_gone(clock_ns(folder)) else found


def look(folder: Path) -> Holder | None:
    """The claim on a run, whether it is stale or not; None if there is none, as in object storage."""
    if in_object_storage(folder):
        return None
    try:
        # Opened, and asked as an open file: what NFS says of a path may be half a minute old.
        with (folder / CLAIM).open("rb") as file:
            text, beat_ns = file.read(), os.fstat(file.fileno()).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _read(text, beat_ns)


def _read(text: bytes, beat_ns: int) -> Holder:
    try:
        said = json.loads(text)
        process = Process(**said["process"])
        return Holder(process=process, token=said["token"], begun=said["begun"], beat_ns=beat_ns)
    except (ValueError, KeyError, TypeError):  # being written, where links are not to be had
        nobody = Process(machine="", host="", number=0, began="")
        return Holder(process=nobody, token="", begun="", beat_ns=beat_ns)


def _own_text() -> bytes:
    begun = datetime.now(UTC).isoformat(timespec="milliseconds")
    said = {"process": asdict(Process.own()), "token": uuid.uuid4().hex, "begun": begun}
    return json.dumps(said).encode() + b"\n"


def _is_free(folder: Path) -> bool:
    """Whether there is no claim, after moving a stale one away."""
    path = folder / CLAIM
    text, found = _text_of(path), look(folder)
    if text is None or found is None:
        return True
    return found.is_gone(clock_ns(folder)) and _moved_away(path, text)


def _moved_away(path: Path, text: bytes) -> bool:
    """Remove a claim with a certain text; whether there is none now. Another's is put back."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True
    found = _text_of(aside)
    mistaken = found is not None and found != text
    if mistaken:
        _linked(aside, path)
    aside.unlink(missing_ok=True)
    return not mistaken


def put_new(path: Path, text: bytes) -> bool:
    """Make a file that is not there yet, as only one of many can; false if there is one.

    Raises:
        OSError: If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        aside.write_bytes(text)
        return _linked(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _linked(aside: Path, path: Path) -> bool:
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        # NFS may repeat a link that it has made and then say that it is there.
        return aside.stat().st_nlink == 2
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _created(path, aside.read_bytes())
    return True


def _created(path: Path, text: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _text_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _named(folder: Path) -> str:
    found = look(folder)
    return f" ({found.process}); wait for it to end" if found else "; wait for it to end"
