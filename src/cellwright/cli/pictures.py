"""Commands that draw: estate show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import app
from cellwright.errors import UsageError
from cellwright.report.picture import draw_html, draw_svg, scene
from cellwright.wiring.estates import load_estate
from cellwright.wiring.files import write_atomically

_DRAWINGS: Final = {".svg": draw_svg, ".html": draw_html, ".htm": draw_html}

estate = typer.Typer(help="Look at an estate.", no_args_is_help=True)
app.add_typer(estate, name="estate")


@estate.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="ESTATE", help="A YAML file, or a folder of them.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture to write: .svg or .html.")] = Path(
        "estate.html"
    ),
    focus: Annotated[str | None, typer.Option(metavar="NAME", help="Only what is about this site or workload.")] = None,
) -> None:
    """Draw sites, links, datasets, and where regulations let the data go, as one self-contained file."""
    draw = _DRAWINGS.get(out.suffix.lower())
    if draw is None:
        raise UsageError.of(
            "picture-format",
            f"{out.name} is neither an SVG nor an HTML file by its name",
            expected="a name that ends in .svg or .html",
        )
    shown = scene(load_estate(path, datetime.now(tz=UTC).date()), path.resolve().name, focus)
    write_atomically(out, draw(shown))
    console.say(shown.described)
    console.say(f"wrote {out}")
