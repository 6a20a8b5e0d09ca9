"""What a report shows: a plan, and where the whole job ran also what mediation, digest and gateway measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.digest.counters_text import CounterFacts
    from cellwright.digest.logs_text import LogFacts
    from cellwright.digest.rank import Candidate
    from cellwright.digest.spans import Span
    from cellwright.digest.vicinity import Vicinity
    from cellwright.placement.plan import Plan


@dataclass(frozen=True, slots=True)
class MediationRow:
    """What became of the files of one source folder and format; counts are facts, conserved: raw = the other three."""

    source: str
    format: str
    files: int
    raw: int
    rows: int
    quarantined: int
    filtered: int
    reasons: tuple[tuple[str, int], ...]  # why facts were quarantined or filtered, how many


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One alarm storm: its digest beside the raw events."""

    incident: str
    source: str
    started: str  # ISO 8601, UTC
    duration_s: float | None
    events: int
    elements: int
    alarm_types: int
    ves_tokens: int
    csv_tokens: int
    digest_tokens: int
    digest_text: str
    raw_excerpt: str  # the first raw events as VES JSON
    answer: str
    left_out: tuple[tuple[str, int], ...]  # the loss ledger: what, how many
    start_us: int | None = None  # of the first alarm, since 1970 UTC
    roots: tuple[Candidate, ...] = ()  # probable ones, the likeliest first
    doubts: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()  # what is drawn on a line of time
    vicinity: Vicinity | None = None  # and on a plane
    counters: CounterFacts | None = None  # that broke
    log: LogFacts | None = None


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """One incident of many, in a line."""

    incident: str
    source: str
    started: str
    duration_s: float | None
    events: int
    elements: int
    alarm_types: int
    root: str  # the probable one: type and element
    doubts: int  # kinds of what is doubtful


@dataclass(frozen=True, slots=True)
class LakeReport:
    """What the page about the incidents of a lake shows."""

    title: str
    alarms: int
    found: int  # incidents in all
    doubtful: int  # of them
    lines: tuple[IncidentLine, ...]  # the largest first
    incidents: tuple[IncidentView, ...]  # the first of them, in full
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """What the gateway measured over all digests of a run."""

    model: str
    language_model: bool
    requests: int
    failed: int
    ttft: Percentiles | None
    round_trip: Percentiles | None
    tokens_in: int
    tokens_out: int
    token_counter: str  # who counted the tokens in and out


@dataclass(frozen=True, slots=True)
class TokenCost:
    """Cost per hour of sending events to a cloud model, from stated assumptions."""

    label: str
    events_per_hour: float
    tokens_in: float  # per event
    tokens_out: float  # per event
    input_per_million: float
    output_per_million: float
    cost_per_hour: float
    currency: str
    price_source: str


@dataclass(frozen=True, slots=True)
class FactoryReport:
    """Everything one page shows; parts that a command did not produce are empty."""

    title: str
    plan: Plan
    mediation: tuple[MediationRow, ...] = ()
    incidents: tuple[IncidentView, ...] = ()  # those shown in full
    storms: int = 0  # storms of 15,000 raw tokens or more, in all
    median_saving_ves: float | None = None  # 0..1
    median_saving_csv: float | None = None
    counted_by: str = "?"  # who counted the tokens of storms and digests; "estimate" without a tokenizer
    answers: AnswerFigures | None = None
    token_costs: tuple[TokenCost, ...] = ()  # pairs unfiltered, filtered: the published example first, then as measured
    notes: tuple[str, ...] = ()  # what was skipped and why
