"""Commands about incidents: digest, and what its ranking learns."""

from __future__ import annotations

import math
import os
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.digest.compose import BUDGET_TOKENS, to_json
from cellwright.digest.storms import is_storm
from cellwright.wiring.incidents import digest_lake, learn_causes
from cellwright.wiring.lakes import lake_at
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.causes import CauseGraph
    from cellwright.digest.compose import Digest

_MOST_ROWS: Final = 15


LakeArgument = Annotated[
    str, typer.Argument(metavar="LAKE", help="A lake's folder, or its s3://, gs:// or abfss:// address.")
]


@app.command()
def digest(
    lake: LakeArgument,
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


@app.command("digest learn")
def digest_learn(
    lake: LakeArgument,
    out: Annotated[Path, typer.Option(metavar="MODEL", help="The file to write the cause graph to.")],
    links: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Adjacent elements by name: columns element,neighbour.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Learn from the lake's alarms which types bring about which others, and how well that foretells them."""
    graph = learn_causes(lake_at(lake, read_settings(os.environ, Path.home())), out, links)
    if output is Output.JSON:
        console.say_json({"model": str(out), **asdict(graph.training), **asdict(graph.quality), "edges": _edges(graph)})
        return
    columns = ("cause", "effect", "first", "median lag")
    shown = sorted(_edges(graph), key=lambda edge: -edge["strength"])[:_MOST_ROWS]
    console.table(None, columns, map(_edge_row, shown), columns[2:])
    console.say(
        f"{int(graph.edges.sum())} edges between {len(graph.types)} alarm types, from {graph.training.alarms} alarms"
        f" ({graph.training.onsets} onsets) of {graph.training.elements} elements and {graph.training.links} links"
    )
    gain, tested = graph.quality.gain_nats, graph.quality.tested
    console.say(f"foretells the last {tested} onsets {gain:.2f} nats each better than constant rates do")
    console.say(f"{out} written, {out.stat().st_size / 1000:,.0f} kB")


def _edges(graph: CauseGraph) -> list[dict[str, Any]]:
    return [
        {
            "cause": graph.types[cause],
            "effect": graph.types[effect],
            "strength": float(graph.strength[cause, effect]),
            "first": float(graph.first[cause, effect]),
            "lag_s": None if math.isnan(graph.lag_s[cause, effect]) else float(graph.lag_s[cause, effect]),
        }
        for cause, effect in zip(*graph.edges.nonzero(), strict=True)
    ]


def _edge_row(edge: dict[str, Any]) -> tuple[str, ...]:
    lag = "?" if edge["lag_s"] is None else f"{number(edge['lag_s'], 1)} s"
    return edge["cause"], edge["effect"], f"{edge['first']:.0%}", lag


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
