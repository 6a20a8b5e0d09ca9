"""What is not wrong but deserves a look: rules and prices past their date, numbers that contradict a phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, Severity, nearest
from cellwright.estate.contradictions import idle_reviews
from cellwright.estate.documents.kinds import Kind
from cellwright.estate.parsing import in_order
from cellwright.estate.profiles import PHASE_PROFILES
from cellwright.estate.unmet import unmet
from cellwright.units import DURATION

_WAITING_MS: Final = 1e3  # below a second, somebody or something is waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from cellwright.estate.model import Estate, Workload
    from cellwright.estate.parsing import Parsed


def warnings_at(parsed: Parsed, today: date) -> tuple[Diagnostic, ...]:
    """Return the warnings about an estate on a day, by file, line and column; none where there is no estate."""
    if parsed.estate is None:
        return ()
    rules = [item for (kind, _), item in parsed.declarations.items() if kind is Kind.REGULATION]
    found = [
        *_expired(parsed, parsed.estate, today),
        *_unusual(parsed, parsed.estate),
        *_skills(parsed, parsed.estate),
        *_unheard_users(parsed, parsed.estate),
        *unmet(parsed, parsed.estate),
        *idle_reviews(rules),
    ]
    return in_order(found)


def _warning(
    code: str, message: str, parsed: Parsed, place: tuple[Kind, str, str], **details: str | None
) -> Diagnostic:
    kind, name, path = place
    mark = parsed.mark(kind, name, *path.split("."))
    return Diagnostic(code, message, mark, **details, severity=Severity.WARNING)


def _expired(parsed: Parsed, estate: Estate, today: date) -> Iterator[Diagnostic]:
    for kind, documents in ((Kind.REGULATION, estate.regulations), (Kind.PRICE_BOOK, estate.price_books)):
        for name, document in documents.items():
            if document.expires < today:
                message = f"{kind} {name!r} expired on {document.expires}; it was checked on {document.checked}"
                hint = f"check it against its source, then move checked and expires: {document.source}"
                yield _warning("expired", message, parsed, (kind, name, "spec.expires"), hint=hint)


def _unusual(parsed: Parsed, estate: Estate) -> Iterator[Diagnostic]:
    """Yield where a workload's numbers contradict its phase; the phase is a label, so only the label may be wrong."""
    for workload in estate.workloads.values():
        profile = PHASE_PROFILES[workload.phase]
        hint = "the phase is only a label; placement follows the numbers"
        if words := _unusual_target(workload, profile.p99_range_ms):
            message, expected = words
            place = (Kind.WORKLOAD, workload.name, "spec.latency.p99")
            yield _warning("unusual-for-phase", message, parsed, place, expected=expected, hint=hint)
        if profile.needs_gpu and workload.demand.gpus == 0 and not workload.demand.mig_profile:
            message = f"{workload.name} is in phase {workload.phase}, but asks for no GPU"
            place = (Kind.WORKLOAD, workload.name, "spec.demand")
            yield _warning("unusual-for-phase", message, parsed, place, expected="one GPU or more", hint=hint)


def _unusual_target(workload: Workload, usual: tuple[float, float] | None) -> tuple[str, str] | None:
    """Return what is odd about the latency target, and what is usual."""
    target = workload.latency.p99_ms
    phase = f"{workload.name} is in phase {workload.phase}"
    if usual is None:
        tight = target is not None and target < _WAITING_MS
        return (
            (f"{phase}, but must answer in {DURATION.format(target)}", "a second or more, or no limit")
            if tight
            else None
        )
    low, high = usual
    expected = f"more than {DURATION.format(low)}, at most {DURATION.format(high)}"
    if target is None:
        return f"{phase}, but has no latency target", expected
    if low < target <= high:
        return None
    return f"{phase}, but must answer in {DURATION.format(target)}", expected


def _skills(parsed: Parsed, estate: Estate) -> Iterator[Diagnostic]:
    """Yield the skills that a workload asks for and no site has: a misspelling makes a workload homeless."""
    skills = sorted({skill for site in estate.sites.values() for skill in site.operations.skills})
    for workload in estate.workloads.values():
        for skill in sorted(workload.readiness.skills - set(skills)):
            message = f"{workload.name} asks for the skill {skill!r}, which no site has"
            place = (Kind.WORKLOAD, workload.name, "spec.readiness.skills")
            yield _warning("unknown-skill", message, parsed, place, hint=nearest(skill, skills))


def _unheard_users(parsed: Parsed, estate: Estate) -> Iterator[Diagnostic]:
    """Yield the users that are written where each replica serves its own site or home."""
    for workload in estate.workloads.values():
        declaration = parsed.declarations[Kind.WORKLOAD, workload.name]
        own = "site" if workload.replicas.per_site else "home" if workload.replicas.per_home else None
        if own and any(declaration.texts("spec", "latency", "users")):
            message = f"{workload.name} has a replica for each {own}, which serves the users there: these are not used"
            place = (Kind.WORKLOAD, workload.name, "spec.latency.users")
            yield _warning("unused-key", message, parsed, place, hint="take users out")
