"""Commands about incidents: digest."""

from __future__ import annotations

import os
import statistics
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import app
from cellwright.cli.places import LakeArgument, place_of
from cellwright.cli.plans import number
from cellwright.cli.topologies import TopologyOption, covered, topology_of
from cellwright.digest.compose import BUDGET_TOKENS, check_budget, to_json
from cellwright.digest.logs_compose import log_ledger
from cellwright.digest.storms import is_storm
from cellwright.errors import ExitCode, UsageError
from cellwright.report.lake_page import render_lake
from cellwright.report.text import middle
from cellwright.wiring.files import write_atomically
from cellwright.wiring.following import Follower, changes
from cellwright.wiring.incidents import digest_lake, load_causes
from cellwright.wiring.rewriting import rewrite
from cellwright.wiring.settings import read_settings
from cellwright.wiring.topologies import warnings_of
from cellwright.wiring.views import lake_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.wiring.incidents import Storyline
    from cellwright.wiring.rewriting import Prose
    from cellwright.wiring.topologies import Coverage

_PAGES: Final = frozenset({".html", ".htm"})
_MOST_ROWS: Final = 15
_OTHER_COLUMNS: Final = 58  # characters that all but the last take
_LEAST_ROOT: Final = 20  # characters of an alarm type, and half of those of an element
_MOST_ROOTS: Final = 3  # of an incident that JSON names


class DigestOutput(StrEnum):
    """How digests are printed."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"


@app.command()
def digest(  # noqa: PLR0913 - options of a command
    lake: LakeArgument,
    budget: Annotated[int, typer.Option(metavar="TOKENS", help="Most tokens of one digest.")] = BUDGET_TOKENS,
    topology: TopologyOption = None,
    causes: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="A cause graph of `digest learn`, to rank roots with.")
    ] = None,
    *,
    incident: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this incident, by its name or eight letters of its hash.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write timelines and topologies as one .html page.")
    ] = None,
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
    output: Annotated[
        DigestOutput | None,
        typer.Option("--output", "-o", help="How to print digests. [default: table; text with --incident]"),
    ] = None,
) -> None:
    """Fold the lake's alarms into incidents, and each incident into a digest within a token budget."""
    beside = topology_of(topology)
    settings = read_settings(os.environ, Path.home())
    place = place_of(lake)
    graph = load_causes(causes) if causes else None
    check_budget(budget)
    _check_page(out)
    form = output or (DigestOutput.TEXT if incident else DigestOutput.TABLE)
    if follow:
        _refuse_beside_follow({"--rewrite": rewritten, "--incident": bool(incident), "--out": bool(out)})
        covered(place, beside)
        _follow(Follower(place, beside, budget, graph), every, form)
        return
    found = digest_lake(place, console.progress_bar, budget, beside, graph, only=incident)
    known = covered(place, beside)
    prose = rewrite(found, settings.edge, console.progress_bar) if rewritten else {}
    if form is DigestOutput.JSON:
        shown = [{**_shown(item), **_prose(prose.get(item.digest.incident))} for item in found]
        console.say_json({"budget": budget, "topology": known and _known(known), "digests": shown})
    elif not found:
        console.say(f"no alarms in {lake}: nothing to digest")
    elif form is DigestOutput.TEXT:
        _print_texts(found, prose)
    else:
        _print_digests(found)
    if out is not None:
        notes = tuple(each.message for each in warnings_of(known)) if known else ()
        write_atomically(out, render_lake(lake_report(Path(lake).resolve().name, found, beside, notes)))
        console.note(f"wrote {out}")
    _conclude(prose, form)


def _check_page(out: Path | None) -> None:
    """Refuse a page that would not be known as one by its name."""
    if out is not None and out.suffix.lower() not in _PAGES:
        raise UsageError.of("page-format", f"{out} is no HTML file by its name", expected="a name that ends in .html")


def _refuse_beside_follow(given: Mapping[str, bool]) -> None:
    """Refuse what is done once, beside what goes on."""
    for option in (name for name, is_given in given.items() if is_given):
        raise UsageError.of("follow-options", f"{option} and --follow do not go together", expected="one of them")


def _conclude(prose: Mapping[str, Prose], form: DigestOutput) -> None:
    """Say how many digests a model said rightly; exit 5 where some were not answered."""
    failed = sum(each.error is not None for each in prose.values())
    if prose and form is not DigestOutput.JSON:
        valid = sum(each.is_valid for each in prose.values())
        rejected = len(prose) - valid - failed
        console.note(f"{valid} digests said in prose; {rejected} rejected, {failed} not answered, -o json says why")
    if failed:
        raise console.Finish(ExitCode.PARTIAL)


def _print_texts(found: Sequence[Storyline], prose: Mapping[str, Prose]) -> None:
    """Print digests as models read them, and behind each its prose where there is one; a blank line between."""
    for place, item in enumerate(found):
        said = prose.get(item.digest.incident)
        if place:
            console.say()
        console.say(item.text)
        if said and said.is_valid:
            console.say(f"\n{said.text}")


def _follow(follower: Follower, every_s: float, form: DigestOutput) -> None:
    """Print each change as it comes; a line of JSON, a sentence, or the sentence with the text."""
    console.note("following; Ctrl-C stops it")
    closed = 0
    for change in changes(follower, every_s):
        closed += change.state == "closed"
        if form is DigestOutput.JSON:
            pieces = [_shown(piece) for piece in change.pieces]
            console.say_json_line({"number": change.number, "state": change.state, "digests": pieces})
        else:
            for piece in change.pieces:
                console.say(f"{change.state} {change.number}: {_sentence(piece)}")
                if form is DigestOutput.TEXT:
                    console.say(f"{piece.text}\n")
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


def _known(found: Coverage) -> dict[str, int]:
    return {"elements": found.elements, "unknown": len(found.unknown)}


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
        return (f"{len(found)} incidents, none of 15,000 raw tokens or more",)
    over = sum(item.over_budget for item in storms)
    tokens = [item.tokens for item in storms]
    ves = statistics.median(1 - item.tokens / item.ves_tokens for item in storms)
    csv = statistics.median(1 - item.tokens / item.csv_tokens for item in storms)
    return (
        f"{len(found)} incidents, {len(storms)} storms of 15,000 raw tokens or more ({storms[0].token_counter})",
        f"digest of a storm: median {number(statistics.median(tokens), 0)} tokens, largest {number(max(tokens), 0)}",
        f"with counters and logs: median {number(statistics.median(whole), 0)}, largest {number(max(whole), 0)}",
        f"{over} storms over budget (declared and split)",
        f"median saving: {ves:.1%} against VES JSON, {csv:.1%} against compact CSV",
    )


def _row(item: Storyline) -> tuple[str, ...]:
    made, (root, *_) = item.digest, item.roots
    size = number(item.tokens, 0)
    room = max(console.screen_width() - _OTHER_COLUMNS, _LEAST_ROOT)
    return (
        made.incident,
        made.start or "?",
        number(made.events, 0),
        number(made.types, 0),
        f"{size} in {len(made.parts)} parts" if made.over_budget else size,
        f"{middle(root.alarm_type, room)} on {middle(root.element, 2 * room)}",
    )
