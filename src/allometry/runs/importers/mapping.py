"""From the headers of a table to canonical columns: as the user, the format or the name says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from allometry.errors import InputError, MissingColumn, TableError, UnknownName, did_you_mean
from allometry.runs.columns import COLUMNS
from allometry.runs.importers.headers import Meaning, read_header, unit_scale
from allometry.runs.run import ColumnMapping
from allometry.units import read_quantity


def map_headers(
    headers: Sequence[str], wanted: Mapping[str, str | None], of_format: Mapping[str, str | None], name: str
) -> tuple[ColumnMapping, ...]:
    """Say what each header means: as the user says, else as the format says, else as its name says.

    A column that the user or the format gives to one header is taken from no other.

    Raises:
        MissingColumn: If the user names a header that is not there.
        TableError: If two headers can be one column and nobody says which.
    """
    asked = {header: _asked(header, text, headers, name) for header, text in wanted.items()}
    _refuse_two_for_one(asked, name, "name one of them only")
    said = {
        h: _asked(h, text, headers, name) for h, text in of_format.items() if h in headers and h not in asked
    }
    fixed = _without(said, _columns(asked)) | asked
    _refuse_two_for_one(fixed, name, "say which")
    known = {h: m for h in headers if h not in fixed and (m := read_header(h)) is not None}
    left = _without(known, _columns(fixed))
    own = {m.column for m in left.values() if m is not None and m.own_name}
    found = {h: m for h, m in left.items() if m is None or m.own_name or m.column not in own}
    _refuse_two_for_one(found, name, "say which")
    return _as_mapping(headers, {h: m for h, m in (found | fixed).items() if m}, name)


def _columns(meanings: Mapping[str, Meaning | None]) -> set[str]:
    return {meaning.column for meaning in meanings.values() if meaning}


def _without(meanings: Mapping[str, Meaning | None], taken: set[str]) -> dict[str, Meaning | None]:
    return {h: m for h, m in meanings.items() if m is None or m.column not in taken}


def _as_mapping(headers: Sequence[str], read: Mapping[str, Meaning], name: str) -> tuple[ColumnMapping, ...]:
    mapping = []
    for header in headers:
        if header in read:
            mapping.append(ColumnMapping(source=header, column=read[header].column, scale=read[header].scale))
            continue
        # A canonical name must not stand over values that are not read as such.
        kept = f"{header}_as_found" if header in COLUMNS else header
        if kept != header and kept in headers:
            raise TableError(f"{name} has both '{header}' and '{kept}'; rename one of them.")
        mapping.append(ColumnMapping(source=header, column=kept))
    return tuple(mapping)


def _asked(header: str, text: str | None, headers: Sequence[str], name: str) -> Meaning | None:
    """What the user wants a header to mean: a canonical column, or one times a factor; None is as found."""
    if header not in headers:
        has = ", ".join(headers)
        raise MissingColumn(f"{name} has no column '{header}'.{did_you_mean(header, headers)} It has: {has}.")
    if not text:
        return None
    column, _, factor = (part.strip() for part in text.partition("*"))
    if column not in COLUMNS:
        raise UnknownName(
            f'columns={{"{header}": "{text}"}}: there is no canonical column \'{column}\'.'
            f"{did_you_mean(column, COLUMNS)} There are: {', '.join(COLUMNS)}."
        )
    scale = read_quantity(factor) if factor else _scale_in(header, column)
    if not 0 < scale < float("inf"):
        raise InputError(f'columns={{"{header}": "{text}"}}: a factor must be positive and finite.')
    return Meaning(column=column, scale=scale)


def _scale_in(header: str, column: str) -> float:
    meaning = read_header(header)
    if meaning is not None and meaning.column == column:
        return meaning.scale
    opened = header.rfind("(") if header.endswith(")") else -1
    return (unit_scale(header[opened + 1 : -1], column) if opened > 0 else None) or 1.0


def _refuse_two_for_one(meanings: Mapping[str, Meaning | None], name: str, way_out: str) -> None:
    sources: dict[str, list[str]] = defaultdict(list)
    for header, meaning in meanings.items():
        if meaning is not None:
            sources[meaning.column].append(header)
    for column, headers in sources.items():
        if len(headers) > 1:
            choices = " and ".join(f"'{header}'" for header in headers)
            raise TableError(
                f"{name}: {choices} can each be {column}; {way_out}, for example "
                f'columns={{"{headers[0]}": "{column}"}}.'
            )
