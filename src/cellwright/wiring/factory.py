"""The main job's parts between the commands and the rooms: public data, the report, and the factory a portal shows."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.storms import is_storm
from cellwright.economics.tokens import TokenUse, cost_per_hour, published_example
from cellwright.lake.folder import Lake
from cellwright.placement.explain import why_not
from cellwright.report.model import FactoryReport, MediationRow, TokenCost
from cellwright.telemetry.sources import feed
from cellwright.wiring.cloud import token_prices
from cellwright.wiring.views import view_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cellwright.digest.correlate_topology import Topology
    from cellwright.estate.model import Estate, TokenPrices
    from cellwright.lake.record import FileRecord
    from cellwright.placement.explain import WhyNot
    from cellwright.placement.plan import Plan
    from cellwright.wiring.answers import Answered
    from cellwright.wiring.incidents import Storyline

EVENTS_PER_HOUR: Final = 1000.0  # storms an hour, the published scenario's rate
_PUBLIC_SETS: Final = ("alarms", "pm", "ves")
_SHOWN_PER_SOURCE: Final = 3
_SHOWN: Final = 12
_PUBLISHED: Final = "AWS for Industries, telecom AI placement paper, with the assumptions stated here"


@dataclass(frozen=True, slots=True)
class RunningFactory:
    """What a portal shows; the values are those of the last run."""

    known_estate: Estate
    known_report: FactoryReport

    def estate(self) -> Estate:
        """Return the estate that the plan was made from."""
        return self.known_estate

    def report(self) -> FactoryReport:
        """Return the plan and what the run measured."""
        return self.known_report

    def why_not(self, workload: str, site: str) -> WhyNot:
        """Return what stands against a workload at a site; raise UsageError naming the nearest valid name."""
        return why_not(self.known_estate, self.known_report.plan, workload, site)


@dataclass(frozen=True, slots=True)
class Run:
    """What the steps of one run left behind."""

    title: str
    estate: Estate
    plan: Plan
    lake: Path
    found: Sequence[Storyline]
    answered: Answered
    notes: tuple[str, ...]
    topology: Topology | None = None


def public_sources(data: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the folders of public telemetry below `data` that exist, and a note for each that does not."""
    found = tuple(data / name for name in _PUBLIC_SETS if (data / name).is_dir())
    missing = [name for name in _PUBLIC_SETS if not (data / name).is_dir()]
    if not missing:
        return found, ()
    where = f"public data skipped: {', '.join(missing)} not found in {data}; set CELLWRIGHT_DATA to read them"
    return found, (where,)


def mediation_rows(lake: Path) -> tuple[MediationRow, ...]:
    """Return what the ledger says became of the files of each feed and format."""
    with Lake.open(lake) as opened:
        groups: dict[tuple[str, str], list[FileRecord]] = defaultdict(list)
        for record in opened.files():
            groups[feed(record.source), record.format or "unknown"].append(record)
    return tuple(_mediation_row(source, form, records) for (source, form), records in sorted(groups.items()))


def _mediation_row(source: str, form: str, records: Sequence[FileRecord]) -> MediationRow:
    reasons: Counter[str] = Counter()
    for record in records:
        reasons.update(dict(record.reasons))
    return MediationRow(
        source,
        form,
        len(records),
        sum(record.raw for record in records),
        sum(record.rows for record in records),
        sum(record.quarantined for record in records),
        sum(record.filtered for record in records),
        tuple(sorted(reasons.items())),
    )


def compile_report(run: Run) -> FactoryReport:
    """Return everything the run's page shows."""
    storms = [item for item in run.found if is_storm(item.digest)]
    return FactoryReport(
        title=run.title,
        plan=run.plan,
        mediation=mediation_rows(run.lake),
        incidents=tuple(view_of(item, run.topology, run.answered.texts) for item in _shown(storms, run.answered.texts)),
        storms=len(storms),
        median_saving_ves=_saving([(item.digest.tokens, item.digest.ves_tokens) for item in storms]),
        median_saving_csv=_saving([(item.digest.tokens, item.digest.csv_tokens) for item in storms]),
        counted_by=storms[0].digest.token_counter if storms else "?",
        answers=run.answered.figures,
        token_costs=token_costs(run.estate, storms, run.answered),
        notes=run.notes,
    )


def token_costs(estate: Estate, storms: Sequence[Storyline], answered: Answered) -> tuple[TokenCost, ...]:
    """Return pairs of unfiltered and filtered cost: the published example, then as measured on the storms.

    Tokens in are counted here on both sides; tokens out are those of the digests' answers, also for the raw events.
    """
    example = published_example()
    costs = _pair("published example", example.before, example.after, example.prices, ("USD", _PUBLISHED))
    priced = token_prices(estate, answered.figures.model)
    good = answered.figures.requests - answered.figures.failed
    if not storms or not good or priced is None:
        return costs
    book, prices = priced
    tokens_out = answered.figures.tokens_out / good
    raw, asked = (
        answered.question_tokens + statistics.fmean(tokens)
        for tokens in ([item.digest.ves_tokens for item in storms], [item.tokens for item in storms])
    )
    before, after = (TokenUse(EVENTS_PER_HOUR, tokens_in, tokens_out) for tokens_in in (raw, asked))
    return costs + _pair("as measured", before, after, prices, (book.currency, f"{prices.model}: {book.source}"))


def _pair(
    label: str, before: TokenUse, after: TokenUse, prices: TokenPrices, told: tuple[str, str]
) -> tuple[TokenCost, ...]:
    return tuple(
        TokenCost(
            f"{label}, {kind}",
            use.events_per_hour,
            use.tokens_in,
            use.tokens_out,
            prices.input_per_million,
            prices.output_per_million,
            cost_per_hour(use, prices),
            *told,
        )
        for kind, use in (("unfiltered", before), ("filtered", after))
    )


def _shown(storms: Sequence[Storyline], answers: Mapping[str, str]) -> list[Storyline]:
    """Return the storms with most events of each source, answered ones first, in order of source and time."""
    ranked = sorted(
        storms, key=lambda item: (item.digest.incident not in answers, -item.digest.events, item.digest.incident)
    )
    taken: Counter[str] = Counter()
    shown = []
    for item in ranked:
        taken[item.digest.source] += 1
        if taken[item.digest.source] <= _SHOWN_PER_SOURCE:
            shown.append(item)
    return sorted(shown[:_SHOWN], key=lambda item: (item.digest.source, item.digest.start or ""))


def _saving(pairs: Sequence[tuple[int, int]]) -> float | None:
    return statistics.median(1 - tokens / baseline for tokens, baseline in pairs) if pairs else None
