"""Proposes what each field of a table reveals, with the evidence and how sure it is; a person confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import SensitivityClass
from cellwright.telemetry import classify_names as names
from cellwright.telemetry.classify_values import Look

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwright.telemetry.classify_values import Profile

SURE: Final = 0.7
"""Below this confidence a person has to look."""

_CLASS: Final = SensitivityClass
_STRICTEST_FIRST: Final = tuple(SensitivityClass)
_MOST: Final = 0.8  # share of the values that speaks for a field
_SOME: Final = 0.02  # share of the values that cannot be passed over
_HOME: Final = 0.3  # share of subscribers that have one network's prefix
_FEW: Final = 0.05  # share of distinct values up to which a field sorts rows into groups
_KEY: Final = 0.9  # share of distinct values from which on a field may be a key
_ENOUGH: Final = 20  # values from which on shares mean something
_DEGREES: Final = 180.0
_LARGE: Final = 10**9  # numbers that people and devices are called by are not below
_PHONE_LENGTHS: Final = range(10, 16)  # digits with the country code, ITU-T E.164
_NUMBERS: Final = (Look.INTEGER, Look.DECIMAL, Look.IMSI, Look.IMEI)


@dataclass(frozen=True, slots=True)
class FieldProposal:
    """What one field reveals. Evidence holds shapes, shares and counts, never a value."""

    name: str
    sensitivity: SensitivityClass
    confidence: float  # 0 to 1
    evidence: tuple[str, ...]

    @property
    def needs_review(self) -> bool:
        """Return whether a person has to look."""
        return self.confidence < SURE


@dataclass(frozen=True, slots=True)
class TableProposal:
    """What a table reveals: the strictest class of its fields."""

    sensitivity: SensitivityClass
    needs_review: bool
    fields: tuple[FieldProposal, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    sensitivity: SensitivityClass
    confidence: float
    because: str


def classify(profiles: Sequence[Profile]) -> TableProposal:
    """Return what the fields of one table reveal, alone and beside each other."""
    first = [_alone(profile) for profile in profiles]
    about_someone = any(verdict is not None and verdict.sensitivity is _CLASS.SUBSCRIBER_PII for verdict in first)
    beside = _about_someone if about_someone else _measured if _is_series(profiles) else _about_network
    fields = tuple(
        _told(profile, verdict or beside(profile, names.words_of(profile.name)))
        for profile, verdict in zip(profiles, first, strict=True)
    )
    strictest = strictest_of(each.sensitivity for each in fields)
    sure = any(each.sensitivity is strictest and not each.needs_review for each in fields)
    return TableProposal(strictest, not sure or any(each.needs_review for each in fields), fields)


def strictest_of(classes: Iterable[SensitivityClass]) -> SensitivityClass:
    """Return the strictest class; the strictest there is where nothing was looked at."""
    return min(classes, key=_STRICTEST_FIRST.index, default=_CLASS.SUBSCRIBER_PII)


def _told(profile: Profile, verdict: _Verdict) -> FieldProposal:
    evidence = [verdict.because]
    if profile.filled:
        (most, count), *_ = profile.shapes.most_common(1)
        evidence.append(f"{count / profile.looked_at:.0%} of the values are {most}")
    kinds = ", ".join(f"{count} {kind.value}" for kind, count in sorted(profile.kinds.items()))
    if kinds:
        evidence.append(f"identifiers found: {kinds}")
    evidence.append(f"{profile.distinct} distinct of {profile.looked_at} looked at, {profile.empty} empty")
    return FieldProposal(profile.name, verdict.sensitivity, round(verdict.confidence, 2), tuple(evidence))


def _alone(profile: Profile) -> _Verdict | None:
    """Return what a field reveals whatever stands beside it, or None where it is no person's."""
    words = names.words_of(profile.name)
    called = sorted(words & names.SUBJECT)
    counted = bool(words & names.COUNTED - ({"num"} if called else set()))  # a_num is a number, not how many
    if not profile.filled:
        return _Verdict(_CLASS.SUBSCRIBER_PII, 0.5, f"empty, but its name says {called[0]}") if called else None
    return (
        _pseudonyms(profile)
        or _unmistakable(profile)
        or _addresses(profile, words)
        or (None if counted else _called(profile, words, called))
        or _numbers(profile, words, counted=counted)
        or _marked(profile)
    )


def _pseudonyms(profile: Profile) -> _Verdict | None:
    if profile.share(Look.PSEUDONYM) < _SOME:
        return None
    because = "pseudonyms are personal data as long as a key exists (GDPR Article 4(5))"
    return _Verdict(_CLASS.SIGNALLING, 0.6, because)


def _unmistakable(profile: Profile) -> _Verdict | None:
    for look in (Look.NAMED, Look.EMAIL, Look.IBAN, Look.ICCID, Look.PHONE):
        share = profile.share(look)
        if share >= _SOME:
            confidence = 0.95 if share >= _MOST else 0.75
            return _Verdict(_CLASS.SUBSCRIBER_PII, confidence, f"{share:.0%} of the values are a {look.value}")
    return None


def _addresses(profile: Profile, words: frozenset[str]) -> _Verdict | None:
    share = profile.share(Look.ADDRESS)
    if share < _MOST:
        return None
    if words & names.ADDRESSED:
        return _Verdict(_CLASS.SUBSCRIBER_PII, 0.9, "addresses, and the name says they are a user's")
    if words & names.NETWORK or profile.distinct <= _ENOUGH:
        return _Verdict(_CLASS.NETWORK_CONFIGURATION, 0.75, "addresses of few or of what its name calls equipment")
    return _Verdict(
        _CLASS.SUBSCRIBER_PII, 0.5, "many addresses, and nothing says whether they are users' or equipment's"
    )


def _called(profile: Profile, words: frozenset[str], called: list[str]) -> _Verdict | None:
    """Return what a name that speaks of a person makes of values that do not contradict it."""
    timed = profile.share(Look.TIME, Look.DECIMAL) >= _MOST and not words & names.BORN
    kinds = words & names.SORTED and profile.distinct <= _FEW * profile.looked_at
    if not called or timed or kinds:
        return None
    small = profile.share(Look.INTEGER) >= _MOST and profile.greatest < 10**4  # a flag or a category
    confidence = 0.5 if small or profile.share(Look.UUID, Look.HASH) >= _MOST else 0.9
    return _Verdict(_CLASS.SUBSCRIBER_PII, confidence, f"its name says {called[0]}")


def _numbers(profile: Profile, words: frozenset[str], *, counted: bool) -> _Verdict | None:
    """Return what digits without a name reveal: check digits and network codes tell people from counters."""
    whole = profile.looked_at >= _ENOUGH
    sealed = profile.share(Look.IMEI)
    if whole and sealed >= _MOST:
        return _Verdict(_CLASS.SUBSCRIBER_PII, 0.95, f"{sealed:.0%} are 15 digits with a device number's check digit")
    if counted or words & (names.TIMED | names.BUSINESS | names.PLACE):
        return None
    coded = profile.share(Look.IMSI, Look.IMEI)
    if coded >= _MOST:
        home = profile.network_share()
        if whole and home >= _HOME and not profile.is_ordered():
            because = f"{coded:.0%} are 15 digits of a country in use, {home:.0%} of one network"
            return _Verdict(_CLASS.SUBSCRIBER_PII, 0.9, because)
        return _Verdict(_CLASS.SUBSCRIBER_PII, 0.5, f"{coded:.0%} have the 15 digits of an IMSI, or of a counter")
    return _like_phones(profile)


def _like_phones(profile: Profile) -> _Verdict | None:
    if profile.share(Look.INTEGER) < _MOST or profile.looked_at < _ENOUGH or profile.is_ordered():
        return None
    fitting = sum(count for length, count in profile.lengths.items() if length in _PHONE_LENGTHS)
    alike = profile.networks.total() and fitting >= _KEY * profile.lengths.total()
    if alike and profile.distinct >= _HOME * profile.looked_at:
        return _Verdict(_CLASS.SUBSCRIBER_PII, 0.5, "10 to 15 digits without order: telephone numbers, or serial ones")
    return None


def _marked(profile: Profile) -> _Verdict | None:
    share = profile.share(Look.MARKED)
    if share < _SOME:
        return None
    if set(profile.kinds) <= {"ip", "mac"}:
        return _Verdict(_CLASS.SIGNALLING, 0.6, f"{share:.0%} of the texts hold addresses")
    return _Verdict(_CLASS.SUBSCRIBER_PII, 0.8, f"{share:.0%} of the texts hold identifiers")


def _is_series(profiles: Iterable[Profile]) -> bool:
    """Return whether a table measures something over time."""
    kinds = [(names.words_of(each.name), each) for each in profiles if each.filled]
    timed = any(each.share(Look.TIME) >= _MOST or words & names.TIMED for words, each in kinds)
    return timed and any(words & names.COUNTED and each.share(*_NUMBERS) >= _MOST for words, each in kinds)


def _about_someone(_profile: Profile, words: frozenset[str]) -> _Verdict:
    """Return what a field reveals of somebody named beside it."""
    if words & names.PLACE and not words & names.COUNTED:
        return _Verdict(_CLASS.LOCATION, 0.9, "says where somebody named beside it is")
    return _ticket(words) or _Verdict(_CLASS.SIGNALLING, 0.7, "says what somebody named beside it does")


def _measured(profile: Profile, words: frozenset[str]) -> _Verdict:
    """Return what a field of a time series reveals: as much as the measured values, where it only names the object."""
    found = _about_network(profile, words)
    if found.sensitivity is _CLASS.NETWORK_CONFIGURATION and found.confidence >= SURE:
        return _Verdict(_CLASS.AGGREGATED_KPI, found.confidence, "names or groups what is measured beside it")
    return found


def _about_network(profile: Profile, words: frozenset[str]) -> _Verdict:
    """Return what a field reveals of the network."""
    if words & names.PLACE and not words & names.COUNTED:
        return _place(profile, words)
    return _ticket(words) or _measure(profile, words) or _network(profile, words)


def _ticket(words: frozenset[str]) -> _Verdict | None:
    called = sorted(words & names.TICKET)
    return _Verdict(_CLASS.TROUBLE_TICKET, 0.8, f"its name says {called[0]}") if called else None


def _measure(profile: Profile, words: frozenset[str]) -> _Verdict | None:
    if profile.share(Look.TIME) >= _MOST:
        return _Verdict(_CLASS.AGGREGATED_KPI, 0.9, "times")
    if profile.share(*_NUMBERS) < _MOST or words & names.BUSINESS:
        return None
    if words & names.COUNTED or profile.share(Look.DECIMAL) >= _MOST or profile.greatest < _LARGE:
        return _Verdict(_CLASS.AGGREGATED_KPI, 0.85, "numbers that name nobody")
    return _Verdict(_CLASS.AGGREGATED_KPI, 0.7 if profile.is_ordered() else 0.6, "large numbers that rise or vary")


def _place(profile: Profile, words: frozenset[str]) -> _Verdict:
    if words & names.POINT and profile.share(*_NUMBERS) >= _MOST and profile.greatest <= _DEGREES:
        return _Verdict(_CLASS.LOCATION, 0.5, "coordinates, of people or of sites")
    return _Verdict(_CLASS.NETWORK_CONFIGURATION, 0.8, "cells and areas with nobody named beside them")


def _network(profile: Profile, words: frozenset[str]) -> _Verdict:
    if not profile.filled:
        return _Verdict(_CLASS.AGGREGATED_KPI, 0.75, "empty, and its name speaks of nobody")
    if words & names.SIGNALLING:
        return _Verdict(_CLASS.SIGNALLING, 0.7, f"its name says {min(words & names.SIGNALLING)}")
    if words & names.NETWORK:
        return _Verdict(_CLASS.NETWORK_CONFIGURATION, 0.8, f"its name says {min(words & names.NETWORK)}")
    if profile.share(Look.TEXT) >= _MOST:
        return _Verdict(_CLASS.NETWORK_CONFIGURATION, 0.5, "text that may say anything")
    key = profile.looked_at >= _ENOUGH and profile.distinct >= _KEY * profile.looked_at
    if key and profile.share(Look.CODE, Look.UUID, Look.HASH, Look.INTEGER) >= _MOST:
        return _Verdict(_CLASS.NETWORK_CONFIGURATION, 0.5, "a key: of what or of whom, nothing says")
    return _Verdict(_CLASS.NETWORK_CONFIGURATION, 0.75, "names, codes or categories that repeat and name nobody")
