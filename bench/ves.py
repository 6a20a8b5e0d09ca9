"""How fast VES events are validated and become Arrow rows, beside JSON Schema validators and an unchecked route.

Data: files of valid events as arguments, replicated with identifiers, names, times and numbers varied by a seed, as one
batch and as lines, for each domain and mixed. Events that are refused are left out, loudly. All speeds are per second
of processor time. The peers read the same lines in an environment of their own (`--peers-python`) and need the schema
(`--schema`): `json` with `jsonschema`, `orjson` with `jsonschema-rs` (both only validate) and `orjson` into an Arrow
table as it infers it (validates nothing, and derives no row for each number). Growth is the slope in log-log of time
and of the most memory a fresh process takes beyond that of one event, over three sizes.
"""

from __future__ import annotations

import argparse
import copy
import gc
import io
import json
import math
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from cellwright.telemetry.formats.ves import Ves
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

QUICK: Final = (4_000, 1)  # events, seeds
ROUNDS: Final = 3
SLOW_SHARE: Final = 0.02  # of the lines, for the peer that takes a thousand times as long
MIX: Final = (("fault", 0.6), ("measurement", 0.1), ("stndDefined", 0.1), ("pnfRegistration", 0.2))
NOT_MEASURED: Final = ("measurementInterval", "measurementsForVfScalingVersion")
BASE: Final = "jsonschema"
PEERS: Final = """
import json, sys, time
import jsonschema, jsonschema_rs, orjson, pyarrow as pa

lines = open(sys.argv[1], "rb").read().splitlines()
schema = json.load(open(sys.argv[2]))
slow = lines[: max(1, int(len(lines) * float(sys.argv[3])))]
checker = jsonschema.validators.validator_for(schema)(schema)
checker_rs = jsonschema_rs.validator_for(schema)


def speed(work, lines):
    times = []
    for _ in range(2):
        started = time.process_time()
        work(lines)
        times.append(time.process_time() - started)
    return len(lines) / min(times)


def into_arrow(lines):
    for start in range(0, len(lines), 10_000):
        events = [orjson.loads(line)["event"] for line in lines[start : start + 10_000]]
        by_domain = {}
        for event in events:
            by_domain.setdefault(event["commonEventHeader"]["domain"], []).append(event)
        for same in by_domain.values():
            pa.Table.from_pylist(same)


print(json.dumps({
    "jsonschema": speed(lambda lines: [checker.is_valid(json.loads(line)) for line in lines], slow),
    "jsonschema-rs, no rows": speed(lambda lines: [checker_rs.is_valid(orjson.loads(line)) for line in lines], lines),
    "orjson to Arrow, unchecked": speed(into_arrow, lines),
}))
"""
PEAK: Final = (
    "import re, sys; from cellwright.telemetry.formats.ves import Ves\n"
    "with open(sys.argv[1], 'rb') as stream:\n"
    "    for _ in Ves().parse(stream): pass\n"
    "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
)
Event = dict[str, Any]


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="VES documents with valid events")
    parser.add_argument("--schema", type=Path, help="the JSON schema of VES events, for the peers")
    parser.add_argument(
        "--peers-python", default="", help="an interpreter with jsonschema, jsonschema-rs, orjson, pyarrow"
    )
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK[0]:,} events, {QUICK[1]} seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count, seeds = QUICK if options.quick else (options.events, options.seeds)
    if not options.peers_python or not options.schema:
        print("the peers are LEFT OUT: name --peers-python and --schema", file=sys.stderr)
        options.peers_python = ""
    templates = read_templates(options.files)
    rows: list[Row] = []
    for domain in (*templates, "mixed"):
        drawn = (varied(templates, domain, count, seed) for seed in range(seeds))
        files = [(as_batch(events), as_lines(events)) for events in drawn]
        rows += judge(domain, files, options.peers_python, options.schema)
    rows += growth(templates, count)
    for row in rows:
        peers = ", ".join(f"{name} {value:,.0f}" for name, value in row.peers.items())
        ratio = f"x{row.ratio:.1f}" if row.ratio else ""
        print(f"{row.case:22} {row.figure:26} {row.ours:>10,.6g} {row.unit:9} {peers} {ratio} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, pyarrow {pa.__version__}, one thread"
        print(json.dumps({"bench": "ves", "machine": machine, "rows": [asdict(row) for row in rows]}))


def read_templates(files: Sequence[Path]) -> dict[str, list[Event]]:
    """Return the events of the files by domain, without those that are refused."""
    templates: dict[str, list[Event]] = {}
    for path in files:
        document = json.loads(path.read_text(encoding="utf-8"))
        for event in document.get("eventList") or [document.get("event")]:
            data = json.dumps({"event": event}).encode()
            if any(batch.quarantined for batch in Ves().parse(io.BytesIO(data))):
                print(f"an event of {path.name} is LEFT OUT: it is refused", file=sys.stderr)
            else:
                templates.setdefault(event["commonEventHeader"]["domain"], []).append(event)
    return templates


def varied(templates: dict[str, list[Event]], domain: str, count: int, seed: int) -> list[Event]:
    """Return events of a domain, or mixed, with other identifiers, names, times and numbers."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    shares = {name: share for name, share in MIX if name in templates} if domain == "mixed" else {domain: 1.0}
    names = chance.choices([*shares], [*shares.values()], k=count)
    return [_vary(chance, copy.deepcopy(chance.choice(templates[name])), number) for number, name in enumerate(names)]


def _vary(chance: random.Random, event: Event, number: int) -> Event:
    header = event["commonEventHeader"]
    start = 1_772_323_200_000_000 + number * 1_000
    header |= {"eventId": f"event-{number:09d}", "sequence": number, "sourceName": f"gnb-{chance.randrange(2_000)}"}
    header |= {"startEpochMicrosec": start, "lastEpochMicrosec": start + chance.randrange(10**6)}
    for block in event.keys() & {"measurementFields", "measurementsForVfScalingFields"}:
        event[block] = {
            name: value if name in NOT_MEASURED else _shaken(chance, value) for name, value in event[block].items()
        }
    return event


def _shaken(chance: random.Random, value: object) -> object:
    if isinstance(value, dict):
        return {name: _shaken(chance, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shaken(chance, item) for item in value]
    if isinstance(value, float):
        return round(value * chance.uniform(0.5, 1.5), 2)
    return value + chance.randrange(1_000) if isinstance(value, int) and not isinstance(value, bool) else value


def judge(domain: str, files: Sequence[tuple[bytes, bytes]], python: str, schema: Path | None) -> Iterator[Row]:
    """Yield the speed of batches, lines and counting."""
    speeds: dict[str, list[float]] = {"batch": [], "lines": [], "counted": [], "rows": []}
    peers: dict[str, list[float]] = {}
    gc.collect()  # the events that were made would be looked at again and again
    parse(files[0][1][: 1 << 16])  # what loads at the first use is no matter of speed
    for batch, lines in files:
        n_events = lines.count(b"\n")
        taken, n_rows = least(parse, batch)
        speeds["batch"].append(n_events / taken)
        speeds["rows"].append(n_rows / taken)
        speeds["lines"].append(n_events / least(parse, lines)[0])
        speeds["counted"].append(n_events / least(count_facts, batch[: 1 << 22])[0] * min(1, (1 << 22) / len(batch)))
        for name, speed in peer_speeds(lines, python, schema).items():
            peers.setdefault(name, []).append(speed)
    others = {name: statistics.mean(values) for name, values in peers.items()}
    for form in ("batch", "lines"):
        ratios = [ours / other for ours, other in zip(speeds[form], peers.get(BASE, []), strict=False)]
        ratio = statistics.mean(ratios) if ratios else None
        ours = statistics.mean(speeds[form])
        yield Row(
            f"{domain}, {form}", "events to Arrow rows", "events/s", ours, others, ratio, spread=_spread(speeds[form])
        )
    yield Row(
        f"{domain}, batch", "rows made", "rows/s", statistics.mean(speeds["rows"]), spread=_spread(speeds["rows"])
    )
    counted = speeds["counted"]
    yield Row(f"{domain}, batch", "events counted", "events/s", statistics.mean(counted), spread=_spread(counted))


def as_batch(events: list[Event]) -> bytes:
    """Return one document with all events."""
    return json.dumps({"eventList": events}).encode()


def as_lines(events: list[Event]) -> bytes:
    """Return one document a line."""
    return b"".join(json.dumps({"event": event}).encode() + b"\n" for event in events)


def parse(data: bytes) -> int:
    """Return the number of rows of a file."""
    return sum(table.num_rows for batch in Ves().parse(io.BytesIO(data)) for table in batch.tables.values())


def count_facts(data: bytes) -> int:
    """Return the number of facts of a file."""
    return Ves().count_facts(io.BytesIO(data))


def least(work: Callable[[bytes], int], data: bytes) -> tuple[float, int]:
    """Return the least processor time of some rounds, and the result."""
    times, result = [], 0
    for _ in range(ROUNDS):
        started = time.process_time()
        result = work(data)
        times.append(time.process_time() - started)
    return min(times), result


def peer_speeds(lines: bytes, python: str, schema: Path | None) -> dict[str, float]:
    """Return events a second by peer, nothing when there is none."""
    if not python or schema is None:
        return {}
    with tempfile.NamedTemporaryFile() as file:
        file.write(lines)
        file.flush()
        command = [python, "-c", PEERS, file.name, str(schema), str(SLOW_SHARE)]
        answer = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return {str(name): float(speed) for name, speed in json.loads(answer).items()}


def growth(templates: dict[str, list[Event]], count: int) -> Iterator[Row]:
    """Yield the slopes of time and memory over three sizes, the largest the one given."""
    for form, spelt in (("batch", as_batch), ("lines", as_lines)):
        events = varied(templates, "mixed", count, 0)
        floor = peak_kib(spelt(events[:1]))
        sizes, times, peaks = [], [], []
        for share in (4, 2, 1):
            data = spelt([*islice(events, count // share)])
            sizes.append(math.log(count // share))
            times.append(math.log(least(parse, data)[0]))
            peaks.append(math.log(max(1, peak_kib(data) - floor)))
        for figure, values in (("growth of time", times), ("growth of memory", peaks)):
            slope = statistics.linear_regression(sizes, values).slope
            yield Row(
                f"mixed, {form}", figure, "", slope, higher_is_better=False, spread=f"3 sizes to {count:,}, log-log"
            )


def peak_kib(data: bytes) -> int:
    """Return the most memory a process takes that reads the events from a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return int(subprocess.run([sys.executable, "-c", PEAK, file.name], capture_output=True, check=True).stdout)


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):,.4g} to {max(values):,.4g} over {len(values)} seeds"


if __name__ == "__main__":
    main()
