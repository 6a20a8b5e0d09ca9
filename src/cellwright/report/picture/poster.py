"""The picture as one SVG file that needs nothing else: map, legend and small maps on a sheet."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from cellwright.report.picture.chart import PANEL_PX, chart, panel_words, panels, picture
from cellwright.report.picture.legend import line_samples, notes, verdict_samples
from cellwright.report.picture.scene import MOST_PANELS
from cellwright.report.picture.sheet import style
from cellwright.report.svg import element, mark, short
from cellwright.report.text import phrase, plural, title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.report.picture.chart import Chart, Panel
    from cellwright.report.picture.scene import Scene

_WIDTH: Final = 1000.0
_EDGE: Final = 36.0
_MAP: Final = 640.0
_COLUMN: Final = _EDGE + _MAP + 28  # where the legend begins
_LEGEND_CHARACTERS: Final = 40
_TEXT_CHARACTERS: Final = 135
_LINE: Final = 19.0
_COLUMNS: Final = 4
_GAP: Final = (_WIDTH - 2 * _EDGE - _COLUMNS * PANEL_PX) / (_COLUMNS - 1)
_PANEL_CHARACTERS: Final = 34
_MOST_JURISDICTIONS: Final = 10


def draw_svg(scene: Scene) -> str:
    """Return the file; the same scene gives the same bytes."""
    name = f"{scene.title}: {scene.focus}" if scene.focus else scene.title
    top, head = _head(name, scene)
    bottom, body = _body(scene, top) if scene.sites else (top + 40, [_text("The estate names no site.", top + 20)])
    height, data = _data(scene, bottom) if scene.sites else (bottom, [])
    drawing = element(
        "svg",
        element("title", name),
        element("desc", scene.described),
        element("style", Markup(style())),  # noqa: S704 - our own file
        element("rect", class_="paper", width=_WIDTH, height=height),
        *head,
        *body,
        *data,
        xmlns="http://www.w3.org/2000/svg",
        class_="poster",
        role="img",
        viewBox=f"0 0 {short(_WIDTH)} {short(height)}",
    )
    return f"{drawing}\n"


def _head(name: str, scene: Scene) -> tuple[float, list[Markup]]:
    """Return where the head ends, and its lines."""
    lines = [_text(name, 52, style="h1")]
    y = 76.0
    for sentence in (scene.described, *scene.facts):
        for line in textwrap.wrap(sentence, _TEXT_CHARACTERS):
            lines.append(_text(line, y, style="quiet"))
            y += _LINE
    return y + 6, lines


def _body(scene: Scene, top: float) -> tuple[float, list[Markup]]:
    """Return where map and legend end, and what they consist of."""
    drawn = chart(scene, _MAP)
    frame = element("rect", class_="frame", x=_EDGE, y=top, width=_MAP, height=drawn.height, rx=12)
    place = {"x": _EDGE, "y": top, "width": _MAP, "height": drawn.height}
    nested = picture(drawn.drawing, (_MAP, drawn.height), f"Map of {scene.title}", scene.described, **place)
    y, legend = _legend(scene, drawn, top)
    return max(top + drawn.height, y) + 34, [frame, nested, *legend]


def _legend(scene: Scene, drawn: Chart, top: float) -> tuple[float, list[Markup]]:
    y = top + 14
    parts: list[Markup] = []
    for heading, entries in _entries(scene, drawn):
        parts.append(_text(heading, y, _COLUMN, "h2"))
        y += _LINE + 3
        for sample, text in entries:
            parts.append(element("g", sample, transform=f"translate({short(_COLUMN)} {short(y - 10)})"))
            parts.append(_text(text, y, _COLUMN + 46))
            y += _LINE
        y += 12
    for note in notes(scene, drawn):
        for line in textwrap.wrap(note, _LEGEND_CHARACTERS):
            parts.append(_text(line, y, _COLUMN, "quiet"))
            y += _LINE - 3
        y += 5
    return y, parts


def _entries(scene: Scene, drawn: Chart) -> Iterator[tuple[str, list[tuple[Markup, str]]]]:
    """Yield the groups of the legend: a heading, then samples with their words."""
    yield "Sites", [(mark(tier, 18, 6, 5, "placed"), f"{title(tier)}: {sites:,}") for tier, sites in scene.tiers]
    listed = scene.jurisdictions[:_MOST_JURISDICTIONS]
    more = len(scene.jurisdictions) - len(listed)
    countries = ", ".join(f"{name} {sites:,}" for name, sites in listed) + (f" and {more} more" if more else "")
    yield "Jurisdictions", [(Markup(""), line) for line in textwrap.wrap(countries, _LEGEND_CHARACTERS - 6)]
    samples = [(sample, text) for text, sample in line_samples(drawn)]
    if samples:
        yield "Links", samples
    if scene.classes:
        squares = ((element("rect", class_=f"square s-{name}", x=12, y=0, width=12, height=12, rx=2), name, number)
                   for name, number in scene.classes)  # fmt: skip
        yield "Data", [(square, f"{title(name)}: {number:,}") for square, name, number in squares]


def _data(scene: Scene, top: float) -> tuple[float, list[Markup]]:
    """Return where the small maps end, and what they consist of."""
    told = panels(scene)
    if not told:
        return top, []
    heading = "Where regulations let data go"
    if len(scene.reaches) > MOST_PANELS:
        heading += f": the {len(told)} most confined of {plural(len(scene.reaches), 'kind')}"
    parts = [_text(heading, top, style="h2")]
    x = _EDGE
    for text, sample in verdict_samples():
        parts += [
            element("g", sample, transform=f"translate({short(x - 8)} {short(top + 14)})"),
            _text(text, top + 24, x + 24, "quiet"),
        ]
        x += 60 + 6.4 * len(text)
    y = top + 44
    for start in range(0, len(told), _COLUMNS):
        row = told[start : start + _COLUMNS]
        ends = [_panel(panel, _EDGE + column * (PANEL_PX + _GAP), y, parts) for column, panel in enumerate(row)]
        y = max(ends) + 24
    return y, parts


def _panel(panel: Panel, x: float, y: float, parts: list[Markup]) -> float:
    """Add one small map with its words to `parts`; return where it ends."""
    parts.append(_text(textwrap.shorten(panel.title, 27, placeholder=" …"), y + 12, x, "strong"))
    top = y + 22
    parts.append(element("rect", class_="frame", x=x, y=top, width=PANEL_PX, height=panel.height, rx=8))
    size = {"x": x, "y": top, "width": PANEL_PX, "height": panel.height}
    parts.append(picture(panel.drawing, (PANEL_PX, panel.height), panel.title, panel_words(panel), **size))
    below = top + panel.height + 18
    classes = ", ".join(map(phrase, panel.classes))
    for line in _wrapped((classes, panel_words(panel), panel.rules)):
        parts.append(_text(line, below, x, "quiet"))
        below += _LINE - 3
    return below


def _wrapped(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from textwrap.wrap(sentence, _PANEL_CHARACTERS)


def _text(words: str, y: float, x: float = _EDGE, style: str = "") -> Markup:
    return element("text", words, class_=style or None, x=x, y=y)
