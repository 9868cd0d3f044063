"""`write_brief`: the brief as one HTML file that works offline and without scripts, or as Markdown."""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from allometry.errors import InputError
from allometry.files import write_atomically
from allometry.planning.allocation import Plan
from allometry.planning.sensitivity import Source
from allometry.report.brief import Brief, make_brief
from allometry.runs.study import Study


def write_brief(plan: Plan, path: str | Path, *, law: Source, study: Study | None = None) -> Path:
    """Write one page for the person who pays, as HTML or Markdown by the suffix of the path.

    Args:
        law: What the plan was made from: a fit, a published one, or its name.
        study: Whose register says how past forecasts did.

    Returns:
        The path.

    Raises:
        InputError: If the suffix is neither .html nor .md.
        StudyError: If the file cannot be written; one that was there is then unchanged.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".md"):
        raise InputError(f"A brief is written as .html or .md, not '{target.suffix}' ({target}).")
    brief = make_brief(plan, law, study)
    page = _markdown(brief) if target.suffix.lower() == ".md" else _html(brief)
    write_atomically(target, page)
    return target


def _markdown(brief: Brief) -> str:
    parts = [f"# {brief.title}", f"**{brief.answer}**"]
    for paragraph in brief.paragraphs:
        lines = "\n".join(f"- {sentence}" for sentence in paragraph.sentences)
        parts.append(f"## {paragraph.question}\n\n{lines}")
    return "\n\n".join([*parts, f"Written by {_versions()}."]) + "\n"


def _html(brief: Brief) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("allometry.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (files("allometry.report") / "style.css").read_text()
    page = environment.get_template("brief.html.j2")
    return page.render(brief=brief, style=style, picture=_picture(brief), versions=_versions())


def _picture(brief: Brief) -> str:
    """The chart as SVG that takes the width of the page; empty without one."""
    if brief.chart is None:
        return ""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(brief.chart.to_dict())  # type: ignore[attr-defined]
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)


def _versions() -> str:
    return f"allometry {version('allometry')}"
