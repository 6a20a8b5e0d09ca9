"""Commands about incidents: digest."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.digest.compose import BUDGET_TOKENS, to_json
from cellwright.digest.storms import is_storm
from cellwright.wiring.incidents import digest_lake
from cellwright.wiring.lakes import lake_at
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.compose import Digest

_MOST_ROWS: Final = 15


@app.command()
def digest(
    lake: Annotated[
        str, typer.Argument(metavar="LAKE", help="A lake's folder, or its s3://, gs:// or abfss:// address.")
    ],
    budget: Annotated[int, typer.Option(metavar="TOKENS", help="Most tokens of one digest.")] = BUDGET_TOKENS,
    output: OutputOption = Output.TABLE,
) -> None:
    """Fold the lake's alarms into incidents, and each incident into a digest within a token budget."""
    place = lake_at(lake, read_settings(os.environ, Path.home()))
    found = [item.digest for item in digest_lake(place, console.progress_bar, budget)]
    if output is Output.JSON:
        console.say_json({"budget": budget, "digests": [to_json(item) for item in found]})
        return
    print_digests(found)


def print_digests(found: Sequence[Digest]) -> None:
    """Print the largest incidents and what their digests save against both ways of sending the raw events."""
    columns = (
        "incident",
        "start",
        "events",
        "elements",
        "types",
        "VES tokens",
        "CSV tokens",
        "digest",
        "within budget",
    )
    largest = sorted(found, key=lambda item: (-item.ves_tokens, item.incident))[:_MOST_ROWS]
    console.table(None, columns, (_row(item) for item in largest), columns[2:8])
    if len(found) > len(largest):
        console.say(f"and {len(found) - len(largest)} smaller ones; -o json prints all with their texts and ledgers")
    for line in saving_lines(found):
        console.say(line)


def saving_lines(found: Sequence[Digest]) -> tuple[str, ...]:
    """Return what digests save on storms, in words."""
    storms = [item for item in found if is_storm(item)]
    if not storms:
        return (f"{len(found)} incidents, none of 15,000 to 25,000 raw tokens",)
    over = sum(item.over_budget for item in storms)
    tokens = [item.tokens for item in storms]
    ves = statistics.median(1 - item.tokens / item.ves_tokens for item in storms)
    csv = statistics.median(1 - item.tokens / item.csv_tokens for item in storms)
    return (
        f"{len(found)} incidents, {len(storms)} storms of 15,000 to 25,000 raw tokens ({storms[0].token_counter})",
        f"digest of a storm: median {number(statistics.median(tokens), 0)} tokens, largest {number(max(tokens), 0)}",
        f"{over} storms over budget (declared and split)",
        f"median saving: {ves:.1%} against VES JSON, {csv:.1%} against compact CSV",
    )


def _row(item: Digest) -> tuple[str, ...]:
    return (
        item.incident,
        item.start or "?",
        number(item.events, 0),
        number(item.elements, 0),
        number(item.types, 0),
        number(item.ves_tokens, 0),
        number(item.csv_tokens, 0),
        number(item.tokens, 0),
        f"no, {len(item.parts)} parts" if item.over_budget else "yes",
    )
