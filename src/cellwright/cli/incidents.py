"""Commands about incidents: digest."""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.places import LakeArgument, place_of
from cellwright.cli.plans import number
from cellwright.cli.topologies import TopologyOption, topology_of
from cellwright.digest.compose import BUDGET_TOKENS, check_budget, to_json
from cellwright.digest.logs_compose import log_ledger
from cellwright.digest.storms import is_storm
from cellwright.errors import ExitCode, UsageError
from cellwright.wiring.following import Follower, changes
from cellwright.wiring.incidents import digest_lake, load_causes
from cellwright.wiring.rewriting import rewrite
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.wiring.incidents import Storyline
    from cellwright.wiring.rewriting import Prose

_MOST_ROWS: Final = 15
_MOST_ROOTS: Final = 3  # of an incident that JSON names


@app.command()
def digest(  # noqa: PLR0913 - options of a command
    lake: LakeArgument,
    budget: Annotated[int, typer.Option(metavar="TOKENS", help="Most tokens of one digest.")] = BUDGET_TOKENS,
    topology: TopologyOption = None,
    causes: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="A cause graph of `digest learn`, to rank roots with.")
    ] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until Ctrl-C, telling what opens and closes.")
    ] = False,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.05, max=86_400, help="How often --follow looks at the lake.")
    ] = 2.0,
    rewritten: Annotated[
        bool,
        typer.Option("--rewrite", help="Have CELLWRIGHT_EDGE_MODEL say each in prose, which is checked against it."),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Fold the lake's alarms into incidents, and each incident into a digest within a token budget."""
    beside = topology_of(topology)
    settings = read_settings(os.environ, Path.home())
    place = place_of(lake)
    graph = load_causes(causes) if causes else None
    check_budget(budget)
    if follow and rewritten:
        raise UsageError.of("rewrites-once", "--rewrite and --follow do not go together", expected="one of them")
    if follow:
        _follow(Follower(place, beside, budget, graph), every, output)
        return
    found = digest_lake(place, console.progress_bar, budget, beside, graph)
    prose = rewrite(found, settings.edge, console.progress_bar) if rewritten else {}
    if output is Output.JSON:
        shown = [{**_shown(item), **_prose(prose.get(item.digest.incident))} for item in found]
        console.say_json({"budget": budget, "digests": shown})
    elif found:
        _print_digests(found)
    else:
        console.say(f"no alarms in {lake}: nothing to digest")
    failed = sum(each.error is not None for each in prose.values())
    if prose and output is not Output.JSON:
        valid = sum(each.is_valid for each in prose.values())
        rejected = len(prose) - valid - failed
        console.say(f"{valid} digests said in prose; {rejected} rejected, {failed} not answered, -o json says why")
    if failed:
        raise console.Finish(ExitCode.PARTIAL)


def _follow(follower: Follower, every_s: float, output: Output) -> None:
    """Print each change as it comes; a line of JSON, or a sentence."""
    console.note("following; Ctrl-C stops it")
    closed = 0
    for change in changes(follower, every_s):
        closed += change.state == "closed"
        if output is Output.JSON:
            pieces = [_shown(piece) for piece in change.pieces]
            console.say_json_line({"number": change.number, "state": change.state, "digests": pieces})
        else:
            for piece in change.pieces:
                console.say(f"{change.state} {change.number}: {_sentence(piece)}")
            sys.stdout.flush()
    console.note(f"stopped; {closed} incidents were closed")


def _sentence(item: Storyline) -> str:
    made, (root, *_) = item.digest, item.roots
    doubts = f"; doubtful: {'; '.join(made.doubts)}" if made.doubts else ""
    size = f"{number(made.events, 0)} alarms of {made.types} types on {made.elements} elements"
    return f"{made.start or '?'} {size} in {made.source}; probable root {root.alarm_type} on {root.element}{doubts}"


def _shown(item: Storyline) -> dict[str, object]:
    """Return a digest as plain values, with its likeliest roots and what speaks for them."""
    roots = [
        {
            "alarm_type": root.alarm_type,
            "element": root.element,
            "score": root.score,
            "evidence": [each.words for each in root.evidence],
        }
        for root in item.roots[:_MOST_ROOTS]
    ]
    beside = {
        "counters": item.beside.counters,
        "logs": item.beside.logs,
        "log_ledger": item.beside.log and log_ledger(item.beside.log),
        "tokens": item.beside.tokens,
        "left_out": {each.what: each.count for each in item.beside.left_out},
    }
    return {**to_json(item.digest), "beside": beside, "roots": roots}


def _prose(said: Prose | None) -> dict[str, object]:
    """Return prose that was accepted, or what it lost or added."""
    if said is None:
        return {}
    return {
        "prose": said.text if said.is_valid else None,
        "prose_flaws": list(said.flaws),
        "prose_error": said.error,
    }


def _print_digests(found: Sequence[Storyline]) -> None:
    """Print the largest incidents and what their digests save against both ways of sending the raw events."""
    columns = ("incident", "start", "alarms", "types", "tokens", "probable root")
    largest = sorted(found, key=lambda item: (-item.digest.ves_tokens, item.digest.incident))[:_MOST_ROWS]
    console.table(None, columns, (_row(item) for item in largest), columns[2:5])
    if len(found) > len(largest):
        console.say(f"and {len(found) - len(largest)} smaller ones; -o json prints all with their texts and ledgers")
    for line in saving_lines(found):
        console.say(line)
    doubtful = sum(bool(item.digest.doubts) for item in found)
    if doubtful:
        console.say(f"something is doubtful in {doubtful} incidents; their texts say what")


def saving_lines(found: Sequence[Storyline]) -> tuple[str, ...]:
    """Return what digests save on storms, in words."""
    told = [item for item in found if is_storm(item.digest)]
    storms, whole = [item.digest for item in told], [item.tokens for item in told]
    if not storms:
        return (f"{len(found)} incidents, none of 15,000 to 25,000 raw tokens",)
    over = sum(item.over_budget for item in storms)
    tokens = [item.tokens for item in storms]
    ves = statistics.median(1 - item.tokens / item.ves_tokens for item in storms)
    csv = statistics.median(1 - item.tokens / item.csv_tokens for item in storms)
    return (
        f"{len(found)} incidents, {len(storms)} storms of 15,000 to 25,000 raw tokens ({storms[0].token_counter})",
        f"digest of a storm: median {number(statistics.median(tokens), 0)} tokens, largest {number(max(tokens), 0)}",
        f"with counters and logs: median {number(statistics.median(whole), 0)}, largest {number(max(whole), 0)}",
        f"{over} storms over budget (declared and split)",
        f"median saving: {ves:.1%} against VES JSON, {csv:.1%} against compact CSV",
    )


def _row(item: Storyline) -> tuple[str, ...]:
    made, (root, *_) = item.digest, item.roots
    size = number(item.tokens, 0)
    return (
        made.incident,
        made.start or "?",
        number(made.events, 0),
        number(made.types, 0),
        f"{size} in {len(made.parts)} parts" if made.over_budget else size,
        f"{root.alarm_type} on {root.element}",
    )
