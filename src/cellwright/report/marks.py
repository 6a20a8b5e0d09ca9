"""Marks of incidents: severities told by shape as well as colour, defined once a page and used by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import SEVERITIES
from cellwright.report.svg import element

if TYPE_CHECKING:
    from markupsafe import Markup

# Filled outlines around 0, 0 in px. Severities: ITU-T X.733 clause 8.1.2.3; the shapes are ours.
_OUTLINES: Final = MappingProxyType(
    {
        "critical": "M0-7 7 0 0 7-7 0Z",
        "major": "M0-6.5 6.5 5H-6.5Z",
        "minor": "M-5-5H5V5H-5Z",
        "warning": "M-5 0A5 5 0 1 1 5 0 5 5 0 1 1-5 0Z",
        "indeterminate": "M-4.5 0A4.5 4.5 0 1 1 4.5 0 4.5 4.5 0 1 1-4.5 0Z",
        "quiet": "M-3.5 0A3.5 3.5 0 1 1 3.5 0 3.5 3.5 0 1 1-3.5 0Z",
        "cleared": "M-4 0-1 3 4-4",
        "later": "M-5 0H4M1-4 5 0 1 4",
        "rise": "M0-7 5 0H2V6H-2V0H-5Z",
        "fall": "M0 7-5 0H-2V-6H2V0H5Z",
        "log": "M-6-4H6M-6 0H6M-6 4H2",
        "raised": "M-9-3H9V3H-9Z",
        "open": "M-9-3H9V3H-9Z",
        "again": "M-4-3V4M0-3V4M4-3V4",
        "root": "M-10 0A10 10 0 1 1 10 0 10 10 0 1 1-10 0Z",
        "unknown": "M-10 0A10 10 0 1 1 10 0 10 10 0 1 1-10 0Z",
    }
)
_QUARTERS: Final = ("1.2%", "25.6%", "50%", "74.4%", "98.8%")
_SEVERITIES: Final = tuple(severity.lower() for severity in SEVERITIES)


def severity_mark(severity: str | None) -> str:
    """Return the name of the mark of a perceived severity."""
    name = (severity or "").lower()
    return name if name in _SEVERITIES else "indeterminate"


def severity_words(mark: str) -> str:
    """Return how a severity is said."""
    return mark if mark != "indeterminate" else "severity indeterminate or unknown"


def gravity(mark: str) -> int:
    """Return the place of the mark of a severity, the gravest first."""
    return _SEVERITIES.index(mark)


def use(name: str, x: float | str | None = None, y: float | None = None) -> Markup:
    """Return a mark at a place; the page has to hold `definitions`."""
    return element("use", href=f"#mark-{name}", x=x, y=y)


def definitions() -> Markup:
    """Return what marks look like, for once on a page; nothing of it is seen."""
    marks = (element("path", id=f"mark-{name}", class_=f"sign {name}", d=d) for name, d in _OUTLINES.items())
    lines = (element("line", x1=at, x2=at, y1=0, y2="100%") for at in _QUARTERS)
    return element(
        "svg",
        element("defs", *marks, element("g", *lines, id="mark-grid", class_="lines")),
        class_="hidden",
        aria_hidden="true",
    )


def sample(name: str) -> Markup:
    """Return a mark for a legend; decoration beside its words."""
    drawn = element("path", class_=f"sign {name}", d=_OUTLINES[name], transform="translate(11 11)")
    return element("svg", drawn, class_="key", viewBox="0 0 22 22", width=16, height=16, aria_hidden="true")
