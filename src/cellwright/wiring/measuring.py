"""Latencies of a gateway become measurements of an estate: from probes, or from the rows of its meter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.errors import EstateError, Severity, UnavailableError, UsageError
from cellwright.estate.documents.parts import API_VERSION
from cellwright.gateway.client import ask_all
from cellwright.gateway.metering.meter import Meter, meter_url
from cellwright.inventory.documents import to_yaml
from cellwright.wiring.estates import check_estate
from cellwright.wiring.files import read_text, storage_errors, write_atomically
from cellwright.wiring.settings import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from cellwright.gateway.model import GatewayConfig
    from cellwright.wiring.progress import Progress

FILE: Final = "measured-by-gateway.yaml"  # in the folder of an estate
PROMPT: Final = "Say in one sentence what a probable root cause of an alarm storm is."
_FORM: Final = "ROUTE=WORKLOAD@SITE, such as auto=assistant@region-1"
_HEADING: Final = "Written by `cellwright gateway measure`: what clients saw of a gateway."
_LEAST: Final = 5  # samples, below which percentiles say nothing
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """A route, backend or model of a gateway, and which workload at which site of the estate it is."""

    route: str
    workload: str
    site: str

    @classmethod
    def of(cls, text: str) -> Subject:
        """Return the subject that a text names; raise UsageError."""
        route, is_one, rest = text.partition("=")
        workload, is_at, site = rest.partition("@")
        if not (route and is_one and workload and is_at and site):
            raise UsageError.of("not-a-subject", f"{text!r} does not say what is measured", expected=_FORM)
        return cls(route, workload, site)


@dataclass(frozen=True, slots=True)
class Samples:
    """What clients saw, in milliseconds."""

    subject: Subject
    round_trip: tuple[float, ...]
    first_token: tuple[float, ...]
    failed: int
    source: str  # how it was measured

    @property
    def is_enough(self) -> bool:
        """Whether percentiles say something."""
        return len(self.round_trip) >= _LEAST

    @property
    def percentiles(self) -> dict[str, tuple[float, float, float]]:
        """P50, P95 and P99 in milliseconds of what there are samples of."""
        values = {"round_trip_ms": self.round_trip, "first_token_ms": self.first_token}
        return {name: percentiles(each) for name, each in values.items() if each}


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers, and a key of it."""

    base_url: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raise UsageError where the address is none."""
        if not is_address(self.base_url):
            expected = "an address such as http://127.0.0.1:8781/v1, without user or password"
            raise UsageError.of("not-an-address", f"{self.base_url!r} is no address of a gateway", expected=expected)


def probe(gateway: Running, subjects: Iterable[Subject], probes: int, prompt: str, progress: Progress) -> list[Samples]:
    """Return what so many requests one after the other see of each subject; raise UnavailableError."""
    found = []
    prompts = [[{"role": "user", "content": prompt}]] * probes
    for subject in subjects:
        with progress(subject.route) as advance:
            answers = asyncio.run(
                ask_all(
                    gateway.base_url,
                    gateway.key,
                    subject.route,
                    prompts,
                    concurrency=1,
                    keeps_on=True,
                    progress=advance,
                )
            )
        good = [answer for answer in answers if answer.error is None]
        if not good:
            raise UnavailableError.of(
                "nothing-measured",
                f"none of {probes} probes of {subject.route} was answered",
                cause=answers[0].error if answers else None,
            )
        first = tuple(answer.ttft_ms for answer in good if answer.ttft_ms is not None)
        source = f"{len(good)} probes of {subject.route} through {gateway.base_url}, by cellwright gateway measure"
        round_trip = tuple(answer.round_trip_ms for answer in good)
        found.append(Samples(subject, round_trip, first, len(answers) - len(good), source))
    return found


def metered(
    config: GatewayConfig, environ: Mapping[str, str], subjects: Sequence[Subject], since: datetime
) -> list[Samples]:
    """Return what the meter's rows since a moment say of each subject, a route, backend or model.

    Raises StorageError where the meter cannot be read.
    """
    found: dict[Subject, tuple[list[float], list[float]]] = {subject: ([], []) for subject in subjects}
    failed = dict.fromkeys(subjects, 0)
    since_us = since.timestamp() * _US_PER_S
    with Meter(meter_url(config, environ)) as meter:
        for row in meter.rows():
            if row.started_us < since_us or row.part_of is not None:
                continue
            for subject in subjects:
                if subject.route not in {row.route, row.backend, row.model}:
                    continue
                if row.error is not None:
                    failed[subject] += 1
                    continue
                found[subject][0].append(row.duration_ms)
                if row.ttft_ms is not None:
                    found[subject][1].append(row.ttft_ms)
    return [
        Samples(
            subject,
            tuple(whole),
            tuple(first),
            failed[subject],
            f"{len(whole)} requests to {subject.route} in the meter since {since:%Y-%m-%d %H:%M} UTC, "
            "by cellwright gateway measure",
        )
        for subject, (whole, first) in found.items()
    ]


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return P50, P95 and P99 in milliseconds; each is a value that was measured, and of few the higher one."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99), method="higher")
    return float(p50), float(p95), float(p99)


def documents(found: Iterable[Samples], users: str, today: date) -> str:
    """Return the measurements as YAML of an estate; raise UsageError where there is too little to measure."""
    parts = []
    for samples in found:
        subject = samples.subject
        if not samples.is_enough:
            raise UsageError.of(
                "too-few-samples",
                f"there are {len(samples.round_trip)} whole answers of {subject.route}",
                expected=f"{_LEAST} or more",
                hint="send more probes, or look further back",
            )
        first = _part(samples.first_token) if len(samples.first_token) >= _LEAST else None
        spec = {
            "workload": subject.workload,
            "users": users,
            "site": subject.site,
            "roundTrip": _part(samples.round_trip),
        }
        spec |= {"firstToken": first} if first else {}
        spec |= {"source": samples.source, "checked": today.isoformat()}
        name = f"{subject.workload}-{users}-{subject.site}"[:63].strip("-")
        parts.append({"apiVersion": API_VERSION, "kind": "Measurement", "metadata": {"name": name}, "spec": spec})
    return to_yaml(parts, _HEADING)


def write(text: str, estate: Path, today: date) -> Path:
    """Write measurements into the folder of an estate and return their file.

    Raises EstateError, and leaves everything as it was, where the estate has a problem with them.
    """
    path = estate / FILE
    before = read_text(path) if path.exists() else None
    write_atomically(path, text)
    _, problems = check_estate(estate, today)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        if before is None:
            with storage_errors("remove", path):
                path.unlink()
        else:
            write_atomically(path, before)
        raise EstateError(*errors)
    return path


def _part(values: Sequence[float]) -> dict[str, str]:
    return {name: f"{value:.4g} ms" for name, value in zip(("p50", "p95", "p99"), percentiles(values), strict=True)}
