"""The picture as one HTML page that needs nothing else and fits any screen."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from cellwright.report.page import environment, policy_of, stylesheet
from cellwright.report.picture.chart import PANEL_PX, chart, panel_words, panels, picture
from cellwright.report.picture.legend import framed, line_samples, notes, verdict_samples
from cellwright.report.picture.reach import Verdict
from cellwright.report.picture.scene import MOST_PANELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Dataset
    from cellwright.report.picture.chart import Chart
    from cellwright.report.picture.scene import Scene

_WIDE_PX: Final = 660.0
_NARROW_PX: Final = 330.0
_MOST_ROWS: Final = 200


def draw_html(scene: Scene) -> str:
    """Return the page; the same scene gives the same bytes."""
    wide, narrow = (chart(scene, width, lines) if scene.sites else None for width, lines in _SIZES)
    rows = list(_rows(scene))
    told = panels(scene) if scene.sites else ()
    return (
        environment("cellwright.report")
        .get_template("estate.html")
        .render(
            scene=scene,
            stylesheet=Markup(style()),  # noqa: S704 - our own file
            policy=policy_of(style()),
            wide=_map(scene, wide),
            narrow=_map(scene, narrow),
            samples=[(text, framed(sample)) for text, sample in line_samples(wide)] if wide else [],
            notes=list(notes(scene, wide)) if wide else [],
            panels=[
                (each, picture(each.drawing, (PANEL_PX, each.height), each.title, panel_words(each)), panel_words(each))
                for each in told
            ],
            more_panels=len(scene.reaches) > MOST_PANELS,
            verdicts=[(text, framed(sample)) for text, sample in verdict_samples()],
            verdict_names=("Allowed", "After a review", "Forbidden"),
            rows=rows[:_MOST_ROWS],
            more_rows=max(0, len(rows) - _MOST_ROWS),
        )
    )


_SIZES: Final = ((_WIDE_PX, 4), (_NARROW_PX, 0))


@cache
def style() -> str:
    """Return the style of a picture: that of the report and its own."""
    loader = PackageLoader("cellwright.report")
    source, _, _ = loader.get_source(Environment(autoescape=True), "picture.css")
    return stylesheet() + source


def _map(scene: Scene, drawn: Chart | None) -> Markup:
    if drawn is None:
        return Markup("")
    return picture(drawn.drawing, (drawn.width, drawn.height), f"Map of {scene.title}", scene.described)


def _rows(scene: Scene) -> Iterator[tuple[Dataset, tuple[int, ...], str]]:
    for reach in scene.reaches:
        counts = tuple(reach.count(verdict) for verdict in Verdict)
        for dataset in reach.datasets:
            law = ", ".join(reach.rules) or "no regulation names the class"
            yield dataset, counts, law + ("; bound to its home" if dataset.bound else "")
