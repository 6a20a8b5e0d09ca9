"""The command assess: the four first steps of an operator as a dialogue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import app
from cellwright.errors import CellwrightError, ExitCode, Severity, UsageError
from cellwright.placement import encode
from cellwright.placement.planning import plan as make_plan
from cellwright.report.model import FactoryReport
from cellwright.report.page import render
from cellwright.wiring.assess import (
    ESTATE,
    Recorded,
    findings,
    interview,
    leftovers,
    read_answers,
    write_answers,
    write_assessment,
)
from cellwright.wiring.estates import load_estate
from cellwright.wiring.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Any

    from cellwright.wiring.assess import Given, Interview, Question

_ANSWERS: Final = "answers.yaml"
_HELP: Final = "?"


@app.command()
def assess(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where answers, estate, plan and report go.")] = Path(
        "assessment"
    ),
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answers to begin with, such as those of an earlier run.")
    ] = None,
    *,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing; what is open takes its default.")] = False,
) -> None:
    """Walk through classify, measure, cost and evaluate, and write the estate files of the answers."""
    today = datetime.now(tz=UTC).date()
    kept = out / _ANSWERS
    asker = _asker(read_answers(answers) if answers else {}, kept, defaults=defaults)
    try:
        found = interview(asker, lambda folder: load_estate(Path(folder), today))
    except EOFError:
        raise CellwrightError.of(
            "answers-end",
            f"the input ended after {len(asker.answers)} answers; no estate was written",
            hint=f"go on with: cellwright assess --out {out} --answers {kept}" if asker.answers else None,
        ) from None
    left = leftovers(asker.given, asker.answers)
    if left and defaults:
        raise UsageError(*left)
    console.tell(replace(each, severity=Severity.WARNING) for each in left)
    write_answers(kept, asker.answers)
    _conclude(out, found, today)


def _conclude(out: Path, found: Interview, today: date) -> None:
    """Write the estate, plan it, and tell what each step meant."""
    estate = write_assessment(out, found, today)
    made = make_plan(estate)
    write_atomically(out / "plan.json", encode.to_json(made))
    write_atomically(out / "report.html", render(FactoryReport(title=out.resolve().name, plan=made)))
    for finding in findings(found, estate, made):
        console.heading(finding.title)
        for sentence in finding.sentences:
            console.say(f"- {sentence}")
    console.say()
    console.say(f"wrote {out / ESTATE} (check it: cellwright check {out / ESTATE}), {_ANSWERS}, plan.json, report.html")
    if not made.feasible:
        raise console.Finish(ExitCode.INFEASIBLE)


def _asker(given: Mapping[str, Given], kept: Path, *, defaults: bool) -> Recorded:
    """Return who answers: the file first, then the defaults or the person at the terminal."""

    def announce(title: str, text: str) -> None:
        if not defaults:
            console.heading(title)
            console.say(text)

    def keep(found: Mapping[str, str]) -> None:
        if not defaults:
            write_answers(kept, found)

    return Recorded(given, _default if defaults else _prompt, _refused, keep, announce)


def _default(question: Question[Any]) -> str:
    try:
        question.read(question.default)
    except ValueError as error:
        raise CellwrightError.of(
            "no-default",
            f"{question.key} has no default: {question.text}",
            expected=str(error),
            hint="answer it in a file",
        ) from None
    return question.default


def _prompt(question: Question[Any]) -> str:
    """Return what the person types; Enter takes the default, `?` tells more. Raises EOFError, KeyboardInterrupt."""
    while True:
        default = f" [{question.default}]" if question.default else ""
        text = input(f"{question.text}{default}: ")
        if text.strip() != _HELP:
            return text.strip() or question.default
        console.say(f"  {question.why}")
        console.say(f"  for example: {'  |  '.join(question.examples)}")
        console.say(f"  in a file of answers: {question.key}")


def _refused(told: str) -> None:
    console.say(f"  expected {told} (? for help)")
