"""Composing: the richest text of an incident that its token budget holds, with the books of what it leaves out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.digest.fold import EVERYTHING, Facts, Kept, fold, reduce
from cellwright.digest.ledger import Ledger, Reference, content_hash, open_ledger
from cellwright.digest.notation import MICROSECONDS, incident_name, write_instant
from cellwright.digest.parts import split
from cellwright.digest.render_csv import render_csv
from cellwright.digest.storms import Incident, incidents
from cellwright.digest.text import write
from cellwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from cellwright.digest.tokens import TokenCounter

BUDGET_TOKENS: Final = 2_000
MIN_BUDGET_TOKENS: Final = 200  # below, the head of a part leaves no room for facts
ESTIMATE_MARGIN: Final = 0.9  # an estimate may be 10 % below the tokenizer's count
_ITEMS_PER_LINE: Final = 16  # in parts, so that each names its alarm types
_DETAILS: Final[tuple[dict[str, bool], ...]] = ({"severities": True}, {"onsets": True}, {"clears": True})


@dataclass(frozen=True, slots=True)
class Digest:
    """One incident within a token budget. `start` is ISO 8601 UTC; None is unknown; tokens are the counter's."""

    incident: str  # from the content: the same events always have the same
    tenant: str
    source: str
    start: str | None
    duration_s: float | None
    events: int
    elements: int
    types: int
    text: str  # all parts, joined by line feeds
    parts: tuple[str, ...]  # one, unless `over_budget`; each within the budget
    tokens: int  # of the text
    ves_tokens: int
    csv_tokens: int
    token_counter: str
    ledger: Ledger
    over_budget: bool  # the protected facts alone pass the budget
    doubts: tuple[str, ...] = ()  # in words


def check_budget(budget: int) -> None:
    """Raise UsageError for a budget that no digest fits."""
    if budget < MIN_BUDGET_TOKENS:
        raise UsageError.of(
            "budget-too-small",
            f"a digest cannot be written in {budget} tokens",
            expected=f"a budget of {MIN_BUDGET_TOKENS} tokens or more",
        )


def digest_incident(
    incident: Incident, *, budget: int = BUDGET_TOKENS, count: TokenCounter, root: str | None = None
) -> Digest:
    """Return the digest of an incident: all protected facts, then details by salience until `budget` tokens.

    `root` is the alarm type that a ranking with the past put first, for readers who do not know that past.
    Where tokens are estimated, a tenth of the budget is held back. Raises UsageError for a budget below 200 tokens.
    """
    check_budget(budget)
    room = budget if count.exact else int(budget * ESTIMATE_MARGIN)
    sha256 = content_hash(incident.alarms)
    facts = replace(fold(incident.alarms, incident_name(sha256), incident.doubts), root=root)
    said = richest(facts, lambda text: count.count(text) <= room)
    over_budget = count.count(write(said)) > room
    parts = (
        split(write(said, items_per_line=_ITEMS_PER_LINE), said.incident, budget=budget, limit=room, count=count)
        if over_budget
        else (write(said),)
    )
    text = "\n".join(parts)
    return Digest(
        incident=facts.incident,
        tenant=incident.tenant,
        source=incident.source,
        start=None if facts.start_s is None else write_instant(facts.start_s),
        duration_s=_duration_s(incident),
        events=facts.events,
        elements=len(facts.elements()),
        types=len(facts.types),
        text=text,
        parts=parts,
        tokens=count.count(text),
        ves_tokens=incident.ves_tokens,
        csv_tokens=count.count(render_csv(incident.alarms)),
        token_counter=count.name,
        ledger=open_ledger(incident.alarms, facts, said, sha256),
        over_budget=over_budget,
        doubts=tuple(map(str, incident.doubts)),
    )


def digests(
    alarms: pa.Table,
    *,
    budget: int = BUDGET_TOKENS,
    count: TokenCounter,
    progress: Callable[[float, float | None], None] | None = None,
) -> Iterator[Digest]:
    """Yield the digest of every incident in an `alarm_events` table; `is_storm` says which are storms.

    `progress` is told the events done and their total.
    """
    done = 0
    for incident in incidents(alarms, count):
        yield digest_incident(incident, budget=budget, count=count)
        done += len(incident.alarms)
        if progress is not None:
            progress(done, alarms.num_rows)


def to_json(digest: Digest) -> dict[str, object]:
    """Return a digest as plain values for a JSON writer, its ledger with the references grouped by file."""
    ledger = digest.ledger
    return {
        **asdict(replace(digest, ledger=replace(ledger, kept=(), folded=()))),
        "ledger": {
            "events": ledger.events,
            "represented": len(ledger.kept),
            "folded": len(ledger.folded),
            "left_out": {each.what: each.count for each in ledger.left_out},
            "sha256": ledger.sha256,
            "references": by_file((*ledger.kept, *ledger.folded)),
        },
    }


def richest(facts: Facts, fits: Callable[[str], bool]) -> Facts:
    """Return the facts with as many details as fit; the protected ones alone where none does.

    Salience: severities, onsets of types, clear states, then repeat counts from the highest down.
    """
    everything = reduce(facts, EVERYTHING)
    if fits(write(everything)):
        return everything
    kept = Kept()
    for detail in _DETAILS:
        trial = replace(kept, **detail)
        kept = trial if fits(write(reduce(facts, trial))) else kept
    times = {each.times for kind in facts.types for each in kind.occurrences}
    trials = (replace(kept, times_from=least) for least in sorted({1, *filter(None, times)}))
    return reduce(facts, next((trial for trial in trials if fits(write(reduce(facts, trial)))), kept))


def _duration_s(incident: Incident) -> float | None:
    instants = [alarm.ts for alarm in incident.alarms if alarm.ts is not None]
    return (instants[-1] - instants[0]) / MICROSECONDS if instants else None


def by_file(references: Iterable[Reference]) -> dict[str, list[int]]:
    """Return the ordinals of references by file, each once."""
    files: dict[str, list[int]] = {}
    for reference in sorted(set(references)):
        files.setdefault(reference.file_id, []).append(reference.ordinal)
    return files
