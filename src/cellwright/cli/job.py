"""The main job, step by step, telling what each step found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cellwright.cli import console, plans
from cellwright.cli.incidents import saving_lines
from cellwright.cli.plans import number
from cellwright.cli.topologies import covered
from cellwright.digest.storms import is_storm
from cellwright.errors import EstateError, Severity
from cellwright.placement import encode
from cellwright.placement.planning import plan as make_plan
from cellwright.report.page import render
from cellwright.wiring.answers import answer_storylines
from cellwright.wiring.estates import check_estate
from cellwright.wiring.factory import Run, compile_report, mediation_rows, public_sources
from cellwright.wiring.files import write_atomically
from cellwright.wiring.incidents import digest_lake
from cellwright.wiring.lakes import verify_lake
from cellwright.wiring.simulation import simulate_into
from cellwright.wiring.telemetry import known_formats, mediate_into

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cellwright.digest.correlate_topology import Topology
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan
    from cellwright.report.model import AnswerFigures, FactoryReport, Percentiles, TokenCost
    from cellwright.wiring.answers import Answered
    from cellwright.wiring.cloud import OpenGateway
    from cellwright.wiring.incidents import Storyline
    from cellwright.wiring.settings import Settings


MOST_PAID: Final = 20  # storms that are sent to a real model unless more are asked for


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and where it leaves its files."""

    estate: Path
    folder: Path
    mappings: tuple[Path, ...]
    seed: int
    settings: Settings
    most_answers: int | None = None  # storms to send; None: all to the embedded reasoner, 20 to a model that costs
    topology: Topology | None = None  # who is beside whom, of the elements in alarm

    @property
    def lake(self) -> Path:
        """Where the lake is."""
        return self.folder / "lake"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is skipped, and why."""
        return public_sources(self.settings.data)[1]


def prepare(job: Job) -> tuple[Estate, Plan, tuple[Storyline, ...]]:
    """Check, plan, mediate and digest; raise EstateError before anything is written when the estate has problems."""
    estate = _check(job)
    plan = _plan(job, estate)
    _mediate(job)
    return estate, plan, _digest(job)


def conclude(
    job: Job, estate: Estate, plan: Plan, found: Sequence[Storyline], gateway: OpenGateway
) -> tuple[FactoryReport, bool]:
    """Answer and report; return the report and whether some digest was not answered."""
    answered, notes = _answer(job, found, gateway)
    report = compile_report(
        Run(job.estate.resolve().name, estate, plan, job.lake, found, answered, notes, job.topology)
    )
    _print_costs(report.token_costs)
    console.heading("6 report")
    path = job.folder / "report.html"
    write_atomically(path, render(report))
    console.say(f"wrote {path}")
    return report, answered.first_failure is not None


def _check(job: Job) -> Estate:
    console.heading("1 check")
    estate, diagnostics = check_estate(job.estate, datetime.now(tz=UTC).date())
    if estate is None:
        raise EstateError(*(item for item in diagnostics if item.severity is Severity.ERROR))
    console.tell(diagnostics)
    console.say(plans.estate_sentence(estate))
    return estate


def _plan(job: Job, estate: Estate) -> Plan:
    console.heading("2 plan")
    plan = make_plan(estate)
    plans.print_plan(plan)
    write_atomically(job.folder / "plan.json", encode.to_json(plan))
    return plan


def _mediate(job: Job) -> None:
    console.heading("3 mediate")
    simulated = job.folder / "simulated"
    console.say(simulate_into(simulated, job.seed))
    public, notes = public_sources(job.settings.data)
    for note in notes:
        console.say(note)
    sources = (simulated / "telemetry", *public)
    mediate_into(job.lake, sources, known_formats(job.mappings), job.settings, console.progress_bar)
    rows = [
        (row.source, row.format, *(number(count, 0) for count in (row.files, row.raw, row.rows)),
         number(row.quarantined, 0), number(row.filtered, 0), ", ".join(reason for reason, _ in row.reasons))
        for row in mediation_rows(job.lake)
    ]  # fmt: skip
    counts = ("files", "raw", "rows", "quarantined", "filtered")
    console.table("facts in the lake, by source", ("source", "format", *counts, "why"), rows, counts)
    balances = verify_lake(job.lake)
    good = sum(balance.ok for balance in balances)
    console.say(f"verified: raw = rows + quarantined + filtered in {good} of {len(balances)} files")


def _digest(job: Job) -> tuple[Storyline, ...]:
    console.heading("4 digest")
    found = digest_lake(job.lake, console.progress_bar, topology=job.topology)
    covered(job.lake, job.topology)
    for line in saving_lines(found):
        console.say(line)
    return found


def _answer(job: Job, found: Sequence[Storyline], gateway: OpenGateway) -> tuple[Answered, tuple[str, ...]]:
    """Return the answers to the largest storms, and the notes of the run."""
    console.heading("5 answer")
    notes = list(job.notes)
    storms = [item for item in found if is_storm(item.digest)]
    most = job.most_answers or (MOST_PAID if gateway.language_model else len(storms))
    if most < len(storms):
        notes.append(f"{most} of {len(storms)} storms, the largest, went to {gateway.model}; --answers N sends more")
        console.say(notes[-1])
        storms = sorted(storms, key=lambda item: (-item.digest.ves_tokens, item.digest.incident))[:most]
    answered = answer_storylines(storms, gateway, console.progress_bar)
    for line in _answer_lines(answered.figures):
        console.say(line)
    if answered.first_failure is not None:
        notes.append(_failure(answered))
        console.note(f"warning[not-answered]: {notes[-1]}")
    return answered, tuple(notes)


def _failure(answered: Answered) -> str:
    figures = answered.figures
    return f"{figures.failed} of {figures.requests} digests were not answered: {answered.first_failure}"


def _answer_lines(figures: AnswerFigures) -> tuple[str, ...]:
    kind = "a language model" if figures.language_model else "a deterministic reasoner, not a language model"
    done, counter = figures.requests - figures.failed, figures.token_counter
    return (
        f"{figures.model} ({kind}) answered {done} of {figures.requests} storms through the gateway",
        f"TTFT ms        {_percentiles(figures.ttft)}",
        f"round trip ms  {_percentiles(figures.round_trip)}",
        f"tokens         {number(figures.tokens_in, 0)} in, {number(figures.tokens_out, 0)} out ({counter})",
    )


def _percentiles(values: Percentiles | None) -> str:
    if values is None:
        return "P50 ?  P95 ?  P99 ?"
    return f"P50 {number(values.p50_ms)}  P95 {number(values.p95_ms)}  P99 {number(values.p99_ms)}"


def _print_costs(costs: Sequence[TokenCost]) -> None:
    """Print unfiltered and filtered cost per hour, and how far the saving in cost lags behind that in tokens."""
    columns = ("events/h", "tokens in", "tokens out", "in/M", "out/M", "cost/h")
    rows = [
        (item.label, number(item.events_per_hour, 0), number(item.tokens_in, 0), number(item.tokens_out, 0),
         number(item.input_per_million), number(item.output_per_million), number(item.cost_per_hour), item.currency)
        for item in costs
    ]  # fmt: skip
    console.table("cloud tokens, an hour", ("case", *columns, ""), rows, columns)
    for before, after in zip(costs[::2], costs[1::2], strict=True):
        console.say(
            f"{before.label.partition(',')[0]}: {before.tokens_in / after.tokens_in:.1f} times fewer tokens in, "
            f"{before.cost_per_hour / after.cost_per_hour:.1f} times less cost: the answers cost as much as before"
        )
