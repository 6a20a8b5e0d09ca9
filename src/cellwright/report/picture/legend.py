"""What stands beside a picture: samples of lines and verdicts, and what had to be thinned out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.report.picture.chart import crosses
from cellwright.report.picture.links import scale
from cellwright.report.svg import element
from cellwright.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from cellwright.report.picture.chart import Chart
    from cellwright.report.picture.scene import Scene

SAMPLE_PX: Final = (36.0, 12.0)
_VERDICTS: Final = (("may be processed here", "allowed"), ("only after a legal review", "review"))
_DOT_PX: Final = 6.0


def line_samples(chart: Chart) -> Iterator[tuple[str, Markup]]:
    """Yield what lines stand for, each with a stroke."""
    width, height = SAMPLE_PX
    across = f"M0 {height / 2:g}H{width:g}"
    for text, thickness in scale(chart.bundles):
        yield text, element("path", class_="link", d=across, stroke_width=thickness)
    if any(bundle.estimated for bundle in chart.bundles):
        yield "estimated from distance", element("path", class_="link estimated", d=across, stroke_width=1.6)


def verdict_samples() -> Iterator[tuple[str, Markup]]:
    """Yield what the dots of small maps stand for, each with a dot."""
    width, height = SAMPLE_PX
    for text, style in _VERDICTS:
        d = f"M{width / 2:g} {height / 2:g}h.01"
        yield text, element("path", class_=f"verdict {style}", d=d, stroke_width=_DOT_PX)
    yield "may not leave for here", crosses([(width / 2, height / 2)])
    yield "home of the data", element("circle", class_="home", cx=width / 2, cy=height / 2, r=5)


def framed(sample: Markup) -> Markup:
    """Return a sample as a picture of its own; decoration beside its words."""
    width, height = SAMPLE_PX
    return element("svg", sample, class_="sample", viewBox=f"0 0 {width:g} {height:g}", aria_hidden="true")


def notes(scene: Scene, chart: Chart) -> Iterator[str]:
    """Yield how the drawing differs from the estate."""
    yield "Filled marks are homes of data, outlines and dots hold none."
    if chart.dots:
        yield f"{plural(chart.dots, 'site')} of {len(scene.sites):,} drawn as dots, in the colour of their tier."
    merged = sum(bundle.links for bundle in chart.bundles)
    if len(chart.bundles) < merged:
        left = len(scene.links) - merged
        short = f"; {left:,} shorter than a dot or narrower than these are left out" if left else ""
        yield f"{merged:,} links drawn as {len(chart.bundles):,} bundles, as wide as their bandwidths together{short}."
    if chart.unnamed:
        yield f"{plural(chart.unnamed, 'dataset')} not named on the map."
