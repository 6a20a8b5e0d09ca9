"""The command that learns causes from a lake: digest learn."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.places import LakeArgument, place_of
from cellwright.cli.plans import number
from cellwright.cli.topologies import TopologyOption, covered, topology_of
from cellwright.wiring.learning import learn_causes

if TYPE_CHECKING:
    from cellwright.digest.causes import CauseGraph
    from cellwright.digest.salience import LearnedSalience

_MOST_ROWS: Final = 15


@app.command("digest learn")
def digest_learn(
    lake: LakeArgument,
    out: Annotated[Path, typer.Option(metavar="MODEL", help="The file to write the cause graph to.")],
    topology: TopologyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Learn from the lake's alarms which types bring about which others, and how well that foretells them."""
    beside = topology_of(topology)
    place = place_of(lake)
    covered(place, beside)
    learned = learn_causes(place, out, beside)
    graph, salience = learned.causes, learned.salience
    if output is Output.JSON:
        judged = {"salience": salience and {"incidents": salience.incidents, **asdict(salience.quality)}}
        told = {**asdict(graph.training), **asdict(graph.quality), **judged, "edges": _edges(graph)}
        console.say_json({"model": str(out), **told})
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
    console.say(_salience(salience))
    console.say(f"{out} written, {out.stat().st_size / 1000:,.0f} kB")


def _salience(salience: LearnedSalience | None) -> str:
    if salience is None:
        return "no salience: too few counters and log lines beside incidents, or what they teach keeps no more of them"
    judged = salience.quality
    return (
        f"salience of {len(salience.templates)} kinds of log lines and {len(salience.counters)} counters, from "
        f"{salience.incidents} incidents: {judged.tokens} tokens keep {judged.kept:.0%} of the {judged.signals} "
        f"signals that the last {judged.tested} confirm, {judged.unlearned:.0%} without it"
    )


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
