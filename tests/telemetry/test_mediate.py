from __future__ import annotations

import gzip
import io
import os
import sqlite3
import tarfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from line_format import HEAD, LineFormat

from cellwright.errors import StorageError
from cellwright.lake.folder import Lake
from cellwright.lake.record import FileState
from cellwright.plugins import PluginSet
from cellwright.privacy.pseudonymise import Pseudonymiser
from cellwright.telemetry.mediate import mediate
from cellwright.telemetry.sources import Limits, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.outcome import MediationResult, Outcome

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MASK = Pseudonymiser(bytes(32))
PUBLIC = Path(os.environ.get("CELLWRIGHT_DATA", Path(__file__).parents[2] / "../shared/data"))


@dataclass
class Bench:
    """A lake and a folder of sources."""

    lake: Lake
    inbox: Path

    def run(self, *sources: Path, **options: object) -> MediationResult:
        given_options: dict[str, object] = {"formats": [LineFormat()], "tenant": "op", "now": lambda: NOON, **options}
        return mediate(walk(sources or [self.inbox], self.lake.path), self.lake, pseudonymiser=MASK, **given_options)

    def put(self, name: str, content: bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def failures(self) -> list[str]:
        return [finding.check for balance in self.lake.verify() for finding in balance.findings]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "inbox").mkdir()
    with Lake.open(tmp_path / "lake", create=True) as lake:
        yield Bench(lake, tmp_path / "inbox")


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    return outcome.raw, outcome.rows, outcome.quarantined, outcome.filtered


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_every_fact_is_a_row_quarantined_or_left_out(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"one\n?two\n-three\nfour\n")
    result = bench.run()
    (outcome,) = result.outcomes
    assert counts(outcome) == (4, 2, 1, 1)
    assert (outcome.source, outcome.format, outcome.reasons) == ("inbox/a.txt", "lines", {"bad-line": 1, "comment": 1})
    assert result.partial
    assert bench.failures() == []
    assert bench.lake.files()[0].vendor == "Acme"
    row = bench.lake.read("logs").to_pylist()[1]
    assert (row["ordinal"], row["body"], row["tenant"], row["ingest_ts"]) == (3, "four", "op", NOON)
    assert bench.lake.quarantined_payloads(outcome.file_id, 1, MASK.derive("quarantine")) == (b"?two",)


def test_archives_and_archives_in_them_give_their_members(bench: Bench) -> None:
    file = HEAD + b"line %d\n"
    bench.put("1.gz", gzip.compress(file % 1))
    bench.put("2.zip", zipped(a=file % 2, b=gzip.compress(file % 3), c=b""))
    bench.put("3.tar.gz", tarred(a=file % 4, b=zipped(x=file % 5)))
    outcomes = bench.run().outcomes
    assert [(outcome.source, outcome.rows) for outcome in outcomes] == [
        ("inbox/1.gz", 1),
        ("inbox/2.zip!a", 1),
        ("inbox/2.zip!b", 1),
        ("inbox/2.zip!c", 0),
        ("inbox/3.tar.gz!a", 1),
        ("inbox/3.tar.gz!b!x", 1),
    ]
    assert bench.failures() == []


def test_what_no_format_knows_is_shown_as_skipped_and_taken_up_later(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"one\n")
    skipped = bench.run(formats=[])
    assert [(file.state, file.raw, file.reasons) for file in bench.lake.files()] == [
        (FileState.SKIPPED, 0, {"unknown-format": 0})
    ]
    assert skipped.partial  # where there is nothing else, nothing was understood
    assert bench.run(formats=[]).outcomes[0].duplicate
    assert bench.run().rows == 1
    assert [file.state for file in bench.lake.files()] == [FileState.STORED]
    assert bench.failures() == []


def test_the_same_content_is_stored_once_for_each_tenant_whatever_its_name(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"one\n?\n")
    bench.put("b.gz", gzip.compress(HEAD + b"one\n?\n"))
    first = bench.run()
    assert [outcome.duplicate for outcome in first.outcomes] == [False, True]
    again = bench.run()
    assert [outcome.duplicate for outcome in again.outcomes] == [True, True]
    assert again.partial == first.partial
    assert bench.lake.read("logs").num_rows == 1
    bench.run(tenant="other")
    assert bench.lake.read("logs").num_rows == 2


def test_a_forced_format_quarantines_what_it_cannot_read(bench: Bench) -> None:
    bench.put("a.bin", b"uncountable")
    (outcome,) = bench.run(forced=LineFormat()).outcomes
    assert counts(outcome) == (1, 0, 1, 0)
    assert outcome.reasons == {"count-failed": 1}
    assert bench.lake.quarantined_payloads(outcome.file_id, 0, MASK.derive("quarantine")) == (b"uncountable",)
    assert bench.failures() == []


@pytest.mark.parametrize("fault", [b"boom", b"bad"])
def test_a_format_that_fails_keeps_the_good_part_and_quarantines_the_rest(
    bench: Bench, fault: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bench.put("a.txt", HEAD + b"one\nsecret\n" + fault + b"\nthree\n")
    (outcome,) = bench.run().outcomes
    assert counts(outcome) == (4, 2, 2, 0)
    assert outcome.reasons == {"format-failed": 2}
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert bench.failures() == []


def test_a_format_that_fails_to_detect_reads_nothing(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"undetectable")
    assert bench.run().outcomes[0].state is FileState.SKIPPED


@pytest.mark.parametrize(
    ("fault", "checks"),
    [(b"lose", ["conservation", "ordinals-missing"]), (b"twice", ["conservation", "ordinals-twice"])],
)
def test_a_parser_that_loses_or_doubles_facts_fails_verification(bench: Bench, fault: bytes, checks: list[str]) -> None:
    bench.put("a.txt", HEAD + b"one\n" + fault + b"\nthree\n")
    result = bench.run()
    assert result.partial
    assert result.outcomes[0].state is FileState.UNBALANCED
    assert [piece.code for piece in bench.lake.quarantine()] == ["count-mismatch"]
    assert bench.failures() == checks


def test_a_fact_lost_beside_one_doubled_fails_verification_although_the_sums_agree(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"twice\nlose\n")
    assert bench.run().outcomes[0].state is FileState.UNBALANCED
    assert bench.failures() == ["ordinals-missing", "ordinals-twice"]


def test_a_truncated_gzip_keeps_its_good_part(bench: Bench) -> None:
    lines = b"".join(b"line %d %s\n" % (number, os.urandom(40).hex().encode()) for number in range(300))
    bench.put("a.gz", gzip.compress(HEAD + lines)[:-300])
    (outcome,) = bench.run().outcomes
    assert outcome.state is FileState.PARTIAL
    assert outcome.rows > 250
    assert outcome.reasons == {"archive-truncated": 1}
    assert outcome.raw == outcome.rows + 1
    assert bench.failures() == []


@pytest.mark.parametrize(
    ("content", "limits", "code"),
    [
        (gzip.compress(bytes(10_000)), Limits(expanded_bytes=9_999), "archive-too-large"),
        (zipped(a=HEAD, b=bytes(10_000)), Limits(expanded_bytes=9_999), "archive-too-large"),
        (zipped(a=HEAD, b=b"2", c=b"3"), Limits(members=2), "archive-too-many-members"),
        (gzip.compress(gzip.compress(gzip.compress(b""))), Limits(depth=2), "archive-too-deep"),
        (b"PK\x03\x04 no archive", Limits(), "archive-damaged"),
        (b"\x1f\x8b no archive", Limits(), "archive-damaged"),
        (gzip.compress(b"")[:12], Limits(), "archive-truncated"),
        (gzip.decompress(tarred(a=bytes(2000), b=b"2"))[:2700], Limits(), "archive-truncated"),
        (gzip.decompress(tarred(a=b"1", b=b"2"))[:1024], Limits(), "archive-truncated"),
        (gzip.decompress(tarred(a=b"1", b=b"2"))[:1024] + bytes([7] * 5000), Limits(), "archive-damaged"),
    ],
    ids=[
        "bomb",
        "bomb in zip",
        "members",
        "depth",
        "no zip",
        "no gzip",
        "cut gzip",
        "cut tar",
        "no end of tar",
        "garbage in tar",
    ],
)
def test_an_archive_beyond_limits_or_damaged_is_quarantined(
    bench: Bench, content: bytes, limits: Limits, code: str
) -> None:
    bench.put("a", content)
    result = bench.run(limits=limits)
    assert code in result.reasons
    assert result.quarantined == 1
    assert result.partial
    assert bench.failures() == []


def test_a_member_cut_short_in_a_tar_keeps_its_good_part(bench: Bench) -> None:
    packed = gzip.decompress(tarred(a=HEAD + b"one\n", b=HEAD + b"line\n" * 2000))
    bench.put("a.tar", packed[:6000])
    whole, cut, archive = bench.run().outcomes
    assert (whole.rows, whole.state) == (1, FileState.STORED)
    assert (cut.source, cut.state, cut.reasons) == ("inbox/a.tar!b", FileState.PARTIAL, {"archive-truncated": 1})
    assert cut.rows > 800
    assert (archive.source, archive.state) == ("inbox/a.tar", FileState.QUARANTINED)
    assert bench.failures() == []


def test_names_that_are_no_utf8_are_escaped_and_their_files_stored(bench: Bench) -> None:
    (bench.inbox / os.fsdecode(b"a\xff262011234567890.txt")).write_bytes(HEAD + b"one\n")
    bench.put("b.tar", tarred(**{"b\udcff": HEAD + b"two\n"}))
    outcomes = bench.run().outcomes
    assert [outcome.rows for outcome in outcomes] == [1, 1]
    assert outcomes[0].source.startswith("inbox/a\\udcffimsi~")
    assert outcomes[1].source == "inbox/b.tar!b\\udcff"


def test_an_encrypted_member_does_not_hide_the_others(bench: Bench) -> None:
    content = bytearray(zipped(a=HEAD + b"one\n", b=HEAD + b"two\n"))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    bench.put("a.zip", bytes(content))
    result = bench.run()
    assert (result.rows, result.quarantined, result.reasons) == (1, 1, {"archive-damaged": 1})


def test_the_lake_inside_the_source_is_not_read(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"one\n")
    assert [outcome.source for outcome in bench.run(bench.inbox.parent).outcomes] == [
        f"{bench.inbox.parent.name}/inbox/a.txt"
    ]


def test_a_source_that_does_not_exist_is_told_before_anything_is_stored(bench: Bench) -> None:
    path = bench.put("a.txt", HEAD + b"one\n")
    with pytest.raises(StorageError, match="no-source"):
        bench.run(path, bench.inbox / "absent")
    assert bench.lake.files() == ()


def test_a_file_that_is_gone_when_its_turn_comes_is_reported(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"one\n")
    path = bench.put("b.txt", HEAD + b"two\n")
    result = bench.run(progress=lambda _done, _total: path.unlink(missing_ok=True))
    assert [outcome.state for outcome in result.outcomes] == [FileState.STORED, FileState.UNREADABLE]
    assert result.partial


def test_a_file_that_changes_while_it_is_read_is_not_stored(bench: Bench) -> None:
    path = bench.put("a.txt", HEAD + b"one\n")

    def grow() -> datetime:
        path.write_bytes(HEAD + b"one\ntwo\n")
        return NOON

    assert bench.run(now=grow).reasons == {"changed-while-read": 1}
    assert bench.lake.read("logs").num_rows == 0
    assert bench.failures() == []


def test_progress_never_goes_back_and_ends_with_all_bytes(bench: Bench) -> None:
    bench.put("a.txt", HEAD + b"one\ntwo\n")
    bench.put("b.gz", gzip.compress(HEAD + b"three\n"))
    told: list[tuple[float, float | None]] = []
    bench.run(progress=lambda done, total: told.append((done, total)))
    size = sum(path.stat().st_size for path in bench.inbox.iterdir())
    assert told == sorted(told)
    assert told[-1] == (size, size)


def test_an_interruption_keeps_the_files_that_were_done(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        bench.put(name, HEAD + name.encode() + b"\n")
    moments = iter([NOON, NOON])

    def now() -> datetime:
        for moment in moments:
            return moment
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(now=now)
    assert bench.lake.read("logs")["body"].to_pylist() == ["a", "b"]
    assert bench.failures() == []
    assert [outcome.duplicate for outcome in bench.run().outcomes] == [True, True, False]


LINES = st.sampled_from([b"row", b"?", b"-", b"boom", b"bad", b"", b"\xff", b"imsi-262011234567890"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(LINES, max_size=12), min_size=1, max_size=3), st.integers(0, 2))
def test_counts_are_conserved_whatever_the_files_hold(bench: Bench, files: list[list[bytes]], packing: int) -> None:
    for path in bench.inbox.iterdir():
        path.unlink()
    contents = {f"f{index}": HEAD + b"\n".join(lines) for index, lines in enumerate(files)}
    if packing == 0:
        for name, content in contents.items():
            bench.put(name, content)
    else:
        bench.put("packed", zipped(**contents) if packing == 1 else tarred(**contents))
    result = bench.run()
    assert result.raw == result.rows + result.quarantined + result.filtered
    assert result.raw == sum(LineFormat().count_facts(io.BytesIO(content)) for content in contents.values())
    assert bench.failures() == []


IDENTIFIERS = [
    "262011234567890",
    "491711234567",
    "4901542032375186",
    "10.45.0.77",
    "2001:db8:45::77",
    "4712345678",
    "alice@home.example",
]


def test_no_byte_of_the_lake_holds_a_planted_identifier(bench: Bench) -> None:
    imsi, msisdn, imei, v4, v6, _, nai = IDENTIFIERS
    lines = [f"imsi={imsi} msisdn-{msisdn}", f"ue {v4} {v6}", f"nai-{nai}", f"? {imsi} {nai} {v4}", f"imeisv-{imei}"]
    content = HEAD + "\n".join(lines).encode()
    bench.put(f"trace-{imsi}.txt", content)
    bench.put("more.zip", zipped(**{f"{msisdn}.log": content + b"\nboom\n"}))
    bench.put(f"{v4}.bin", f"unknown {imsi}".encode())
    bench.run()
    stored = b"".join(path.read_bytes() for path in bench.lake.path.rglob("*") if path.is_file())
    with sqlite3.connect(bench.lake.path / "ledger.db") as ledger:
        dumped = "\n".join(ledger.iterdump())
    ledger.close()
    values = str(bench.lake.read("logs").to_pylist()) + dumped + str(bench.lake.files()) + str(bench.lake.quarantine())
    assert [name for name in IDENTIFIERS if name.encode() in stored or name in values] == []
    assert [name for name in IDENTIFIERS if name.encode().hex() in values.lower()] == []
    assert bench.lake.read("logs").num_rows == 8
    assert bench.failures() == []


@pytest.mark.data
def test_public_files_balance_and_no_address_of_theirs_is_stored(bench: Bench) -> None:
    if not PUBLIC.is_dir():
        pytest.skip(f"no public data in {PUBLIC}")
    formats = [kind() for kind in PluginSet("formats") if kind.__name__ != "Delimited"]
    sources = [PUBLIC / name for name in ("pm", "ves", "alarms", "logs")]
    result = bench.run(*sources, formats=formats)
    assert result.raw == result.rows + result.quarantined + result.filtered > 5000
    assert bench.failures() == []
    values = str(bench.lake.read("logs").to_pylist())
    assert "173.234.31.186" not in values
    assert "ip~" in values
    assert all(outcome.duplicate for outcome in bench.run(*sources, formats=formats).outcomes)
