"""The page about the incidents of a lake: one HTML document that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from cellwright.report.page import environment, policy, stylesheet
from cellwright.report.stories import stories

if TYPE_CHECKING:
    from cellwright.report.model import LakeReport


def render_lake(report: LakeReport) -> str:
    """Return the self-contained page: style and pictures inline, no script, nothing loaded from anywhere.

    The same report gives the same bytes.
    """
    template = environment("cellwright.report").get_template("lake.html")
    return template.render(
        report=report,
        stories=stories(report.incidents),
        stylesheet=Markup(stylesheet()),  # noqa: S704 - our own file
        policy=policy(),
    )
