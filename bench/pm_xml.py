"""Values of 3GPP measurement files read per CPU second: into Arrow in memory, and durably into a lake.

Each file given is grown to three sizes: its `<measData>` is repeated under other names of elements and objects, and
each number is drawn anew with as many digits. Every piece of work runs in a process of its own, which reports its CPU
seconds and its peak resident memory; the better of two passes counts, what is loaded or compiled once is told apart.
Durable is the whole path from a .xml.gz file: unpack, count, parse, Parquet, sync, ledger; ours also replaces
identifiers, the peer does not. Peers run under `--peers-python`, an interpreter with lxml, pyarrow and xml2arrow.
xml2arrow is shown as it is used, four tables of text that are neither typed nor joined, and with what makes columns
of the kind of the others of them.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import io
import json
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES: Final = (25_000, 100_000, 400_000)  # values
SEEDS: Final = 3
PASSES: Final = 2
PEERS: Final = Path(__file__).with_name("pm_xml_peers.py")
_NUMBER: Final = re.compile(rb"(?<=>)[^<>]*\d[^<>]*(?=</(?:\w+:)?r>)")
_DIGITS: Final = re.compile(rb"\d+")
_ELEMENT: Final = re.compile(rb'(localDn="[^"]*)"')
_OBJECT: Final = re.compile(rb'(measObjLdn="[^"=]*=[^",]*)')
_VALUE: Final = re.compile(rb"<(?:\w+:)?r[\s/>]")


@dataclass(frozen=True, slots=True)
class Done:
    """What one process reported."""

    rows: int
    cpu_s: float
    peak_mib: float
    load_s: float = 0.0

    @property
    def rate(self) -> float:
        """Values a CPU second."""
        return self.rows / self.cpu_s


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*", help="measurement files, .xml or .xml.gz")
    parser.add_argument("--peers-python", help="an interpreter with lxml, pyarrow and xml2arrow")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--quick", action="store_true", help="the two smaller sizes and one seed")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(asdict(own_work(*options.work))))
        return
    rows = []
    for path in options.files:
        for row in figures(path, options):
            rows.append(row)
            peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
            ratio = f"x{row.ratio:.2f}" if row.ratio is not None else ""
            print(
                f"{row.case:52} {row.figure:44} {row.ours:>9.4g} {row.unit:14} {ratio:7} {peers} {row.spread}".rstrip()
            )
    if options.json:
        machine = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
        print(json.dumps({"bench": "pm_xml", "machine": machine, "rows": [asdict(row) for row in rows]}))


def figures(path: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures of one file at all sizes."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    facts = len(_VALUE.findall(data))
    if b"<measData>" not in data or not facts:
        print(f"{path.name}: nothing to grow, left out")
        return
    sizes = SIZES[:2] if options.quick else SIZES
    seeds = range(1 if options.quick else options.seeds)
    works = {**OWN, **(PEER if options.peers_python else {})}
    done: dict[tuple[str, int], list[Done]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            for size in sizes:
                grown = Path(folder) / f"{size}.xml"
                grown.write_bytes(grow(data, max(1, round(size / facts)), random.Random(seed)))  # noqa: S311 - no secret
                packed = Path(f"{grown}.gz")
                packed.write_bytes(gzip.compress(grown.read_bytes(), 6))
                for work in works:
                    source = packed if "durable" in work else grown
                    done.setdefault((work, size), []).append(run(work, source, options.peers_python))
    yield from _told(path.name, sizes, works, done)


def grow(data: bytes, copies: int, rng: random.Random) -> bytes:
    """Return the file with its measured data `copies` times, other names in each and other numbers as long."""
    start = data.index(b"<measData>")
    end = data.rindex(b"</measData>") + len(b"</measData>")

    def redrawn(digits: re.Match[bytes]) -> bytes:
        text = digits[0]
        return text if text == b"0" else b"%d" % rng.randrange(10 ** (len(text) - 1), 10 ** len(text))

    def copied(number: int) -> bytes:
        named = _OBJECT.sub(rb"\g<1>-%d" % number, _ELEMENT.sub(rb'\g<1>-%d"' % number, data[start:end]))
        return _NUMBER.sub(lambda value: _DIGITS.sub(redrawn, value[0]), named)

    return data[:start] + b"".join(map(copied, range(copies))) + data[end:]


def run(work: str, path: Path, peers_python: str | None) -> Done:
    """Return the better of the passes over a file, each in a process of its own."""
    command = [sys.executable, __file__, "--work", work, str(path)]
    if work in PEER:
        command = [str(peers_python), str(PEERS), work, str(path)]
    passes = []
    environment = {"ARROW_DEFAULT_MEMORY_POOL": "system", **os.environ}  # as the command has it
    for _ in range(PASSES):
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        passes.append(Done(**json.loads(told.splitlines()[-1])))
    return min(passes, key=lambda each: each.cpu_s)


def own_work(work: str, path: str) -> Done:
    """Do one piece of our work in this process."""
    from cellwright.telemetry.formats.pm_patterns import PatternScanner  # noqa: PLC0415 - the memory of this process is measured
    from cellwright.telemetry.formats.pm_xml import PmXml  # noqa: PLC0415 - as above

    if "durable" in work:
        for module in ("cellwright.telemetry.mediate", "cellwright.lake.folder", "cellwright.privacy.pseudonymise"):
            importlib.import_module(module)
    started = time.process_time()
    if "numba" in work:
        from cellwright.telemetry.formats.pm_kernel import KernelScanner  # noqa: PLC0415 - only where it is measured

        reader = PmXml(KernelScanner())
        list(reader.parse(io.BytesIO(_WARM)))
    else:
        reader = PmXml(parses_all=True) if "expat" in work else PmXml(PatternScanner())
    load_s = time.process_time() - started
    started = time.process_time()
    rows = OWN[work](reader, Path(path))
    seconds = time.process_time() - started
    return Done(rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, load_s)


_WARM: Final = (
    b"<measCollecFile><measData><measInfo><measType p='1'>A</measType>"
    b'<measValue measObjLdn="A=1"><r p="1">1</r></measValue></measInfo></measData></measCollecFile>'
)


def in_memory(reader: Any, path: Path) -> int:  # noqa: ANN401 - imported only in the measured process
    """Return how many rows a file becomes in memory."""
    return sum(batch.tables["pm_counters"].num_rows for batch in reader.parse(io.BytesIO(path.read_bytes())))


def durable(reader: Any, path: Path) -> int:  # noqa: ANN401 - as above
    """Return how many rows of a file lie in a lake."""
    from cellwright.lake.folder import Lake  # noqa: PLC0415 - the memory of this process is measured
    from cellwright.privacy.pseudonymise import Pseudonymiser  # noqa: PLC0415 - as above
    from cellwright.telemetry.mediate import mediate  # noqa: PLC0415 - as above
    from cellwright.telemetry.sources import walk  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(dir=path.parent) as folder, Lake.open(Path(folder) / "lake", create=True) as lake:
        mask = Pseudonymiser(bytes(32))
        entries = walk([path], lake.path)
        result = mediate(
            entries, lake, formats=[reader], pseudonymiser=mask, tenant="op", now=lambda: datetime.now(UTC)
        )
        return sum(outcome.rows for outcome in result.outcomes)


OWN: Final[dict[str, Callable[[Any, Path], int]]] = {
    "memory": in_memory,
    "memory, numba": in_memory,
    "memory, expat": in_memory,
    "durable": durable,
    "durable, numba": durable,
}
PEER: Final = {
    "lxml": "lxml iterparse",
    "xml2arrow": "xml2arrow, untyped and unjoined",
    "xml2arrow-joined": "xml2arrow, typed and joined",
    "lxml-durable": "lxml iterparse",
}


def _told(
    case: str, sizes: tuple[int, ...], works: dict[str, Any], done: dict[tuple[str, int], list[Done]]
) -> Iterator[Row]:
    """Yield rates by size beside the peers of the same kind, and how time and memory grow."""
    for size in sizes:
        facts = done["memory", size][0].rows
        for work in OWN:
            if "expat" in work:
                continue
            kind = "durable" in work
            peers = {
                PEER[peer]: _rate(done[peer, size]) for peer in works if peer in PEER and ("durable" in peer) == kind
            }
            if not kind:
                peers["our parser alone"] = _rate(done["memory, expat", size])
            ours = _rate(done[work, size])
            ratio = ours / peers["lxml iterparse"] if "lxml iterparse" in peers else None
            rates = [each.rate for each in done[work, size]]
            spread = f"{min(rates):.4g} to {max(rates):.4g} over {len(rates)} seeds"
            yield Row(
                f"{case} x {facts} values", f"{work}: values a CPU second", "1/s", ours, peers, ratio, spread=spread
            )
            memory = {
                PEER[peer]: _peak(done[peer, size]) for peer in works if peer in PEER and ("durable" in peer) == kind
            }
            peak = _peak(done[work, size])
            yield Row(
                f"{case} x {facts} values",
                f"{work}: peak resident memory",
                "MiB",
                peak,
                memory,
                None,
                higher_is_better=False,
            )
    for work in works:
        slopes = [_slope(sizes, [of(done[work, size]) for size in sizes]) for of in (_seconds, _peak)]
        for name, slope in zip(("time", "memory"), slopes, strict=True):
            yield Row(
                case, f"{PEER.get(work, '')} {work}: log-log slope of {name}".strip(), "", slope, higher_is_better=False
            )
    loads = [each.load_s for work in OWN if "numba" in work for each in done[work, sizes[0]]]
    yield Row(case, "numba: loading the compiled code", "s", min(loads), higher_is_better=False)


def _rate(runs: list[Done]) -> float:
    return statistics.median(each.rate for each in runs)


def _seconds(runs: list[Done]) -> float:
    return statistics.median(each.cpu_s for each in runs)


def _peak(runs: list[Done]) -> float:
    return max(each.peak_mib for each in runs)


def _slope(sizes: tuple[int, ...], figures: list[float]) -> float:
    return log(figures[-1] / figures[0]) / log(sizes[-1] / sizes[0])


if __name__ == "__main__":
    main()
