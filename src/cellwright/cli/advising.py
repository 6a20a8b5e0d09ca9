"""Commands about past tickets: digest advise."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.cli.topologies import TopologyOption, covered, topology_of
from cellwright.digest.advise_judge import OURS
from cellwright.digest.advise_symptoms import words
from cellwright.digest.notation import MICROSECONDS, write_instant
from cellwright.errors import UsageError
from cellwright.wiring.advising import advise_all, judge_history, read_history
from cellwright.wiring.lakes import lake_at
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from cellwright.digest.advise import Advice, PastCase, Recommendation
    from cellwright.digest.advise_judge import Report, Share
    from cellwright.wiring.advising import Subject

_MOST_SUBJECTS: Final = 15
_MOST_TYPES: Final = 5
_WIDEST_TEXT: Final = 60


@app.command(name="digest advise")
def digest_advise(  # noqa: PLR0913 - one parameter an option
    tickets: Annotated[Path, typer.Option(metavar="FILE", help="Past and open tickets: CSV, NDJSON or Parquet.")],
    lake: Annotated[
        str | None,
        typer.Argument(
            metavar="[LAKE]", help="A lake's folder or address, for incidents; without it tickets stand alone."
        ),
    ] = None,
    mapping: Annotated[Path | None, typer.Option(metavar="FILE", help="What the columns of the tickets are.")] = None,
    incident: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this incident or open ticket. [default: all open ones]")
    ] = None,
    output: OutputOption = Output.TABLE,
    *,
    topology: TopologyOption = None,
    report: Annotated[bool, typer.Option("--report", help="Judge the advice on held-out tickets instead.")] = False,
) -> None:
    """Recommend resolutions of past tickets for open incidents, with the past cases as evidence."""
    if report and incident is not None:
        raise UsageError.of("report-of-all", "--report judges all tickets", hint="leave out --incident")
    if topology is not None and lake is None:
        raise UsageError.of("topology-of-incidents", "--topology joins the alarms of a lake", expected="a LAKE")
    settings = read_settings(os.environ, Path.home())
    place = lake_at(lake, settings) if lake else None
    beside = topology_of(topology)
    history = read_history(place, tickets, mapping, settings, console.progress_bar, topology=beside)
    if place is not None:
        covered(place, beside)
    console.tell(history.problems)
    if report:
        _print_report(judge_history(history, console.progress_bar), output)
        return
    advised = advise_all(history, incident, console.progress_bar)
    if output is Output.JSON:
        resolved = sum(each.is_resolved for each in history.tickets)
        told = [_advice_json(subject, advice) for subject, advice in advised]
        console.say_json({"tickets": len(history.tickets), "resolved_tickets": resolved, "advice": told})
        return
    for subject, advice in advised[:_MOST_SUBJECTS]:
        _print_advice(subject, advice, cases=1 if len(advised) > 1 else 3)
    if len(advised) > _MOST_SUBJECTS:
        console.say(f"and {len(advised) - _MOST_SUBJECTS} older ones; -o json prints all")
    if not advised:
        console.say("no open incident and no open ticket; --incident ID advises on any incident that digest lists")


def _print_advice(subject: Subject, advice: Advice, cases: int) -> None:
    start = "" if subject.start_us is None else f" at {write_instant(subject.start_us // MICROSECONDS)}"
    types = ", ".join(subject.symptoms.alarm_types[:_MOST_TYPES]) or _short(subject.symptoms.text)
    tickets = f" (open: {', '.join(subject.tickets)})" if subject.tickets else ""
    console.heading(_printable(f"{subject.kind} {subject.name}{tickets}{start}: {types}"))
    if advice.abstained:
        console.say(f"no recommendation: {advice.abstained}")
        for case in advice.nearest[:cases]:
            console.say(_printable(f"  the likest past case: {_case(case)}"))
    for place, each in enumerate(advice.recommendations, start=1):
        past = f"{number(each.tickets, 0)} past tickets"
        console.say(_printable(f"{place}. {each.probability:4.0%}  {_title(each)}, {past}"))
        for case in each.cases[:cases]:
            console.say(_printable(f"         {_case(case)}"))


def _title(recommended: Recommendation) -> str:
    """Return a code with the words most often written for it; of a group of texts those words alone."""
    text = f'"{_short(recommended.text)}"' if recommended.text else ""
    if recommended.resolution == " ".join(words(recommended.text)):
        return text
    return f"{_short(recommended.resolution)} {text}".rstrip()


def _case(case: PastCase) -> str:
    matched = "; ".join(f"{kind}: {', '.join(what[:_MOST_TYPES])}" for kind, what in case.matched.items())
    return f"{case.ticket}, {case.similarity:.2f} similar by {matched}"


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST_TEXT else f"{text[: _WIDEST_TEXT - 3]}..."


def _printable(text: str) -> str:
    """Return a text whose control characters, which a terminal would obey, are blanks: people wrote it."""
    return "".join(each if each.isprintable() else " " for each in text)


def _print_report(report: Report | str, output: Output) -> None:
    if output is Output.JSON:
        console.say_json({"reason": report} if isinstance(report, str) else _report_json(report))
        return
    if isinstance(report, str):
        console.say(f"no report: {report}")
        return
    console.say(
        f"learned from {number(report.learned, 0)} earlier tickets, judged on {number(report.judged, 0)} later ones"
        f" ({number(report.between, 0)} in between left out); {number(report.resolutions, 0)} resolutions,"
        f" which cover {report.known:.0%} of those judged"
    )
    columns = ("method", "first right", "among three", "ours ahead, first", "ours ahead, three")
    rows = [
        (
            name,
            _interval(each.top1),
            _interval(each.top3),
            "" if name == OURS else _interval(each.ahead1, sign="+"),
            "" if name == OURS else _interval(each.ahead3, sign="+"),
        )
        for name, each in report.methods.items()
    ]
    console.table(None, columns, rows, columns[1:])
    console.say("in brackets: 95 % bootstrap intervals over the judged tickets")
    if report.answered_top1 is None or report.answered_top3 is None:
        console.say("ours answered none of them")
        return
    console.say(
        f"ours answered {report.answered:.0%}: of these the first was right in {report.answered_top1:.0%}, one of three"
        f" in {report.answered_top3:.0%}; calibration error of the first's probability {report.calibration:.3f}"
    )


def _interval(share: Share, sign: str = "") -> str:
    return f"{share.value:{sign}.1%} [{share.low:{sign}.1%}, {share.high:{sign}.1%}]"


def _report_json(report: Report) -> dict[str, object]:
    methods = {
        name: {
            "top1": each.top1._asdict(),
            "top3": each.top3._asdict(),
            "ours_ahead_top1": each.ahead1._asdict(),
            "ours_ahead_top3": each.ahead3._asdict(),
        }
        for name, each in report.methods.items()
    }
    return {**asdict(replace(report, methods={})), "methods": methods}


def _advice_json(subject: Subject, advice: Advice) -> dict[str, object]:
    return {
        "subject": subject.name,
        "kind": subject.kind,
        "open_tickets": subject.tickets,
        "start": None if subject.start_us is None else write_instant(subject.start_us // MICROSECONDS),
        "alarm_types": subject.symptoms.alarm_types,
        "abstained": advice.abstained,
        "recommendations": [
            {**each._asdict(), "cases": [case._asdict() for case in each.cases]} for each in advice.recommendations
        ],
        "nearest": [case._asdict() for case in advice.nearest],
    }
