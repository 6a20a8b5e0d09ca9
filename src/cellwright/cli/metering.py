"""The commands of a gateway, of which here those about who asks it and how long that takes: key, measure."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption
from cellwright.errors import UsageError
from cellwright.estate.documents.parts import NAME_PATTERN, NAME_WORDS
from cellwright.gateway.config import load_config
from cellwright.gateway.keys import hash_key, new_key
from cellwright.wiring.files import read_text

if TYPE_CHECKING:
    from cellwright.wiring.measuring import Samples

commands = typer.Typer(help="Serve models behind one address by policy; check, explain and measure it.")
_KEY_VARIABLE: Final = "CELLWRIGHT_GATEWAY_KEY"


@commands.command("key")
def key(
    name: Annotated[str, typer.Option(help="What meters call the key.")],
    tenant: Annotated[str, typer.Option(help="Whose requests it carries.")],
    not_after: Annotated[str | None, typer.Option(metavar="DAY", help="The last day it is good for.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a key: print its entry for the gateway's document, and on standard error the key itself, this once."""
    for given in (name, tenant):
        if not re.fullmatch(NAME_PATTERN, given):
            raise UsageError.of("wrong-name", f"{given!r} is no name of a key or a tenant", expected=f"a {NAME_WORDS}")
    last = _day(not_after) if not_after else None
    made = new_key()
    entry = {"name": name, "tenant": tenant, "sha256": hash_key(made)} | ({"notAfter": str(last)} if last else {})
    if output is Output.JSON:
        console.say_json({"key": made, "entry": entry})
        return
    fields = ", ".join(f"{field}: {value!r}" for field, value in entry.items())  # quoted: a name may read as a number
    console.say(f"- {{{fields}}}")
    console.note(f"the key, which is kept nowhere: {made}")


def _day(given: str) -> date:
    """Return the day that somebody gave; raise UsageError where it is none, or over."""
    try:
        found = date.fromisoformat(given)
    except ValueError:
        raise UsageError.of("wrong-day", f"{given!r} is no day", expected="a day such as 2026-12-31") from None
    if found < datetime.now(UTC).date():
        raise UsageError.of("wrong-day", f"{found} is over", expected="the last day that the key is good for")
    return found


@commands.command("measure")
def measure(  # noqa: PLR0913 - one parameter an option
    of: Annotated[
        list[str],
        typer.Option(metavar="ROUTE=WORKLOAD@SITE", help="A route, and what it is in the estate; repeatable."),
    ],
    users: Annotated[str, typer.Option(metavar="SITE", help="The site of the estate where the requests arise.")],
    *,
    url: Annotated[
        str | None, typer.Option(help="A running gateway to probe, such as http://127.0.0.1:8781/v1.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A gateway's document, to read its meter instead.")] = None,
    estate: Annotated[Path | None, typer.Option(help="The folder of an estate to write the measurements into.")] = None,
    probes: Annotated[int, typer.Option(min=5, max=1000, help="Requests to send to each route.")] = 30,
    hours: Annotated[float, typer.Option(min=0.01, help="How far to look back in the meter.")] = 24.0,
    prompt: Annotated[Path | None, typer.Option(help="A file with the question to probe with.")] = None,
    key_env: Annotated[str, typer.Option(help="The environment variable that holds the key.")] = _KEY_VARIABLE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Measure P50, P95 and P99 of first token and round trip, and write them where the planner reads latencies."""
    from cellwright.wiring import measuring  # noqa: PLC0415 - takes 20 MiB, and this module is loaded to serve too

    subjects = tuple(measuring.Subject.of(text) for text in of)
    if (url is None) is (config is None):
        raise UsageError.of("nothing-to-measure", "one place to measure at is needed", expected="--url, or --config")
    if config is not None:
        since = datetime.now(UTC) - timedelta(hours=hours)
        found = measuring.metered(load_config(read_text(config), str(config)), os.environ, subjects, since)
    else:
        question = read_text(prompt) if prompt else measuring.PROMPT
        running = measuring.Running(str(url).rstrip("/"), _key(key_env))
        found = measuring.probe(running, subjects, probes, question, console.progress_bar)
    today = datetime.now(UTC).date()
    text = measuring.documents(found, users, today)
    written = measuring.write(text, estate, today) if estate else None
    if output is Output.JSON:
        console.say_json([_json(samples, users) for samples in found])
    elif written is None:
        console.say(text.rstrip())
    for samples in found:
        console.note(_sentence(samples))
    if written is not None:
        console.note(f"written to {written}")


def _key(variable: str) -> str:
    found = os.environ.get(variable)
    if not found:
        raise UsageError.of("key-not-set", f"{variable} is not set", expected="a key of the gateway, or a token")
    return found


def _sentence(samples: Samples) -> str:
    p50, p95, p99 = samples.percentiles["round_trip_ms"]
    failed = f", {samples.failed} failed" if samples.failed else ""
    return (
        f"{samples.subject.route}: round trip P50 {p50:.4g} ms, P95 {p95:.4g} ms, P99 {p99:.4g} ms "
        f"of {len(samples.round_trip)}{failed}"
    )


def _json(samples: Samples, users: str) -> dict[str, object]:
    subject = samples.subject
    named = {"route": subject.route, "workload": subject.workload, "site": subject.site, "users": users}
    found = {name: dict(zip(("p50", "p95", "p99"), each, strict=True)) for name, each in samples.percentiles.items()}
    return named | found | {"samples": len(samples.round_trip), "failed": samples.failed, "source": samples.source}
