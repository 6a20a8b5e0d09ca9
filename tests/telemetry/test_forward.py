"""A site's lake comes to the centre whole and once, whatever is cut, killed, repeated or put out of order between."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_format import HEAD, LineFormat

from cellwright.errors import CellwrightError, StorageError, UnavailableError
from cellwright.lake.disk import Disk
from cellwright.lake.folder import Lake
from cellwright.lake.schema import TABLES
from cellwright.privacy.pseudonymise import Pseudonymiser
from cellwright.telemetry.forward import Forwarder
from cellwright.telemetry.forward_centre import Parcel, Receiver
from cellwright.telemetry.forward_inbox import Inbox
from cellwright.telemetry.forward_manifest import VERSION, Manifest, read_index, read_manifest
from cellwright.telemetry.forward_message import Kind, Message, Packing, read_message
from cellwright.telemetry.forward_outbox import NAME, Outbox
from cellwright.telemetry.forward_session import Patience, forward_while, receive_while
from cellwright.telemetry.forward_source import SiteLake
from cellwright.telemetry.mediate import mediate
from cellwright.telemetry.sources import walk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

PSEUDONYMS = Pseudonymiser(bytes(32))
KEY = PSEUDONYMS.derive("quarantine")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOISE = "".join(chr(97 + (i * i * 7 + i // 3) % 26) for i in range(9000))  # little to compress


class Killed(BaseException):
    """The process is dead."""


@dataclass
class Faults:
    """What goes wrong at the next steps: "" nothing, "cut" the link, "kill" the process; the dead do no step."""

    plan: list[str] = field(default_factory=list)
    dead: bool = False
    steps: int = 0

    def step(self, *, cuttable: bool = True) -> None:
        self.steps += 1
        fault = self.plan.pop(0) if self.plan and not self.dead else ""
        self.dead = self.dead or fault == "kill"
        if self.dead:
            raise Killed
        if fault == "cut" and cuttable:
            raise UnavailableError.of("link-unavailable", "the link is cut")


class Stream:
    """A work queue that keeps messages until they are acknowledged, and delivers them again and again until then."""

    def __init__(self, faults: Faults, limit: int) -> None:
        self.faults, self.limit = faults, limit
        self.kept: dict[int, Message] = {}
        self.published = 0
        self.dropped = 0  # messages, by a stream that is too small
        self.ids: set[str] = set()
        self.in_air: set[int] = set()
        self.order: Callable[[list[int]], list[int]] = list
        self.name = "S 1"

    def publish(self, message: Message) -> None:
        self.published += 1
        if message.id not in self.ids:
            self.ids.add(message.id)
            self.kept[self.published] = message


@dataclass
class FakeOutlet:
    of: Stream

    @property
    def stream(self) -> str:
        return self.of.name

    @property
    def limit(self) -> int:
        return self.of.limit

    async def publish(self, message: Message) -> None:
        assert len(message.payload) <= self.of.limit or message.kind is Kind.INDEX
        self.of.faults.step()
        await asyncio.sleep(0)
        self.of.publish(message)
        self.of.faults.step()


@dataclass
class FakeReceipt:
    of: Stream
    place: int

    async def accept(self) -> None:
        self.of.faults.step()
        self.of.kept.pop(self.place, None)
        self.of.in_air.discard(self.place)
        self.of.faults.step()

    async def hold(self) -> None:
        self.of.faults.step()

    async def give_back(self) -> None:
        self.of.faults.step()
        self.of.in_air.discard(self.place)


@dataclass
class FakeInlet:
    of: Stream
    hold_s: float = 1e9

    async def fetch(self, wait_s: float) -> Sequence[Parcel]:
        assert wait_s
        self.of.faults.step()
        numbers = self.of.order([number for number in self.of.kept if number not in self.of.in_air])[:5]
        self.of.in_air.update(numbers)
        messages = [(number, self.of.kept[number]) for number in numbers]
        return [Parcel(each.headers, each.payload, FakeReceipt(self.of, number)) for number, each in messages]

    def missed(self) -> int:
        missed, self.of.dropped = self.of.dropped, 0
        return missed

    async def settle(self) -> None:
        self.of.faults.step()

    async def backlog(self) -> int:
        self.of.faults.step()
        return len(self.of.kept)


class FaultyDisk(Disk):
    """A disk whose process may be killed before and after each name becomes durable."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def rename(self, source: Path, target: Path) -> None:
        self._faults.step(cuttable=False)
        super().rename(source, target)
        self._faults.step(cuttable=False)

    def sync_folder(self, folder: Path) -> None:
        self._faults.step(cuttable=False)
        super().sync_folder(folder)


class FaultyOutbox(Outbox):
    """An outbox whose process may be killed before and after each transaction."""

    faults: Faults

    def add(self, file_id: str, stream: str, messages: object) -> None:
        self.faults.step(cuttable=False)
        super().add(file_id, stream, messages)  # type: ignore[arg-type]
        self.faults.step(cuttable=False)

    def done(self, file_id: str, edition: str) -> None:
        self.faults.step(cuttable=False)
        super().done(file_id, edition)
        self.faults.step(cuttable=False)


def mediated(folder: Path, files: dict[str, bytes], at: datetime = NOON) -> None:
    """Bring files into the lake of a folder."""
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    moments = (at + timedelta(seconds=i) for i in range(1000))
    with Lake.open(folder / "lake", create=True) as lake:
        mediate(
            walk([raw], lake.path),
            lake,
            formats=[LineFormat()],
            pseudonymiser=PSEUDONYMS,
            tenant="t",
            now=lambda: next(moments),
        )


def lines(*bodies: str) -> bytes:
    return HEAD + "".join(f"{body}\n" for body in bodies).encode()


FILES = {
    "a.txt": lines("one", "? bad", "two", "- left", "- out", "three", "? bad again"),
    "b.txt": lines(*(f"{i} {NOISE[i * 31 : i * 31 + 150]}" for i in range(40))),
    "c.txt": lines("? all", "? bad"),
    "d.txt": lines("before", NOISE, "after"),  # a row longer than a message
    "e.bin": b"no known format",
    "f.txt": lines(*(f"? {i}" for i in range(200))),  # a manifest longer than a message
    "g.txt": lines("counted", "lose", "wrongly"),  # does not balance
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    mediated(folder, FILES)
    return folder / "lake"


def send(lake: Path, stream: Stream, tell: Callable[[CellwrightError], None] = lambda _: None) -> Forwarder:
    """Let a new process of the site send once."""
    stream.faults.dead = False

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[FakeOutlet]:
        stream.faults.step()
        yield FakeOutlet(stream)

    async def run(forwarder: Forwarder) -> None:
        await forward_while(forwarder, connect, Patience(asyncio.Event(), tell, attempts=1), None)

    with SiteLake(lake) as site, contextlib.closing(FaultyOutbox(lake, "centre")) as outbox:
        outbox.faults = stream.faults
        forwarder = Forwarder(site, outbox, tell)
        asyncio.run(run(forwarder))
    return forwarder


def take(
    lake: Path, stream: Stream, tell: Callable[[CellwrightError], None] = lambda _: None, key: bytes = KEY
) -> Receiver:
    """Let a new process of the centre receive until nothing is left."""
    stream.faults.dead = False
    stream.in_air.clear()  # in the end all comes again that nobody acknowledged
    Lake.open(lake, create=True).close()

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[FakeInlet]:
        stream.faults.step()
        yield FakeInlet(stream)

    async def run(receiver: Receiver) -> None:
        await receive_while(receiver, connect, Patience(asyncio.Event(), tell, attempts=1), once=True)

    with Inbox(lake) as inbox:
        receiver = Receiver(lake, key, inbox, tell, FaultyDisk(stream.faults))
        asyncio.run(run(receiver))
    return receiver


def contents(folder: Path) -> tuple[object, ...]:
    """Return what a lake says of its facts, in an order of its own."""
    with Lake.open(folder) as lake:
        rows = [
            (table, lake.read(table).sort_by([("file_id", "ascending"), ("ordinal", "ascending")]).to_pylist())
            for table in TABLES
        ]
        files = [{name: getattr(each, name) for name in each.__slots__} for each in lake.files()]
        pieces = [replace(each, size=0, kept=0) for each in lake.quarantine()]
        verdict = {
            each.file_id: (each.raw, each.rows, each.quarantined, each.filtered, each.ok) for each in lake.verify()
        }
    return rows, files, pieces, verdict


def same(site: Path, centre: Path) -> None:
    assert contents(centre) == contents(site)


def stream_of(limit: int = 1200, plan: Sequence[str] = ()) -> Stream:
    return Stream(Faults(list(plan)), limit)


def copied(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "site")


def test_the_centre_has_what_the_site_has_and_the_balances_are_the_sites(template: Path, tmp_path: Path) -> None:
    site, stream = copied(template, tmp_path), stream_of()
    sent = send(site, stream).sent
    assert (sent.files, sent.refused, sent.rows) == (len(FILES), 0, sum(each[1] for each in contents(site)[3].values()))
    received = take(tmp_path / "centre", stream).received
    assert (received.files, received.rows, received.duplicates) == (len(FILES), sent.rows, 0)
    assert stream.kept == {}
    same(site, tmp_path / "centre")
    wrong = [each for each in contents(tmp_path / "centre")[3].values() if not each[-1]]
    assert len(wrong) == 1  # the file that did not balance at the site either


def test_what_was_forwarded_is_not_sent_again_and_what_is_new_is(template: Path, tmp_path: Path) -> None:
    site, stream = copied(template, tmp_path), stream_of(limit=10**6)
    send(site, stream)
    before = stream.published
    assert send(site, stream).sent.messages == 0
    shutil.copytree(template, tmp_path / "more" / "lake")
    mediated(tmp_path / "more", {"h.txt": lines("new")}, NOON + timedelta(days=1))
    shutil.copy(site / NAME, tmp_path / "more" / "lake" / NAME)
    assert send(tmp_path / "more" / "lake", stream).sent.files == 1
    assert stream.published == before + 2  # its rows and its manifest
    take(tmp_path / "centre", stream)
    same(tmp_path / "more" / "lake", tmp_path / "centre")


def test_a_file_that_a_format_reads_later_is_sent_again_and_replaces_the_skipped_one(tmp_path: Path) -> None:
    content = lines("one", "two")
    stream = stream_of()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "x").write_bytes(content)
    with Lake.open(tmp_path / "lake", create=True) as lake:
        mediate(
            walk([tmp_path / "raw"], lake.path),
            lake,
            formats=[],
            pseudonymiser=PSEUDONYMS,
            tenant="t",
            now=lambda: NOON,
        )
    send(tmp_path / "lake", stream)
    take(tmp_path / "centre", stream)
    mediated(tmp_path, {"x": content}, NOON + timedelta(hours=1))
    assert send(tmp_path / "lake", stream).sent.rows == 2
    assert take(tmp_path / "centre", stream).received.rows == 2
    same(tmp_path / "lake", tmp_path / "centre")


def test_everything_sent_again_is_stored_once(template: Path, tmp_path: Path) -> None:
    site, stream = copied(template, tmp_path), stream_of()
    for _ in range(2):
        send(site, stream)
        received = take(tmp_path / "centre", stream).received
        with contextlib.closing(Outbox(site, "centre")) as outbox:
            outbox.forget()
        stream.ids.clear()  # the server's window is over
    assert (received.files, received.duplicates) == (0, len(FILES))
    assert stream.kept == {}
    same(site, tmp_path / "centre")


def test_the_lake_may_be_compacted_between_two_pieces(template: Path, tmp_path: Path) -> None:
    site, stream = copied(template, tmp_path), stream_of(plan=[*[""] * 25, "kill"])
    with pytest.raises(Killed):
        send(site, stream)
    with Lake.open(site) as lake:
        before, after = lake.compact()
        assert after < before
    take(tmp_path / "centre", stream)
    send(site, stream)
    take(tmp_path / "centre", stream)
    same(site, tmp_path / "centre")


def test_pieces_that_the_stream_holds_are_not_sent_again_unless_it_was_made_anew(
    template: Path, tmp_path: Path
) -> None:
    counts = []
    for name in ("S 1", "S 2"):
        folder = tmp_path / name
        folder.mkdir()
        site, stream = copied(template, folder), stream_of(plan=[*[""] * 90, "cut"])
        with pytest.raises(UnavailableError):
            send(site, stream)
        before, stream.name = stream.published, name
        stream.ids.clear()
        send(site, stream)
        counts.append(stream.published - before)
        take(folder / "centre", stream)
        same(site, folder / "centre")
    assert counts[0] < counts[1]


def test_a_damaged_file_is_told_once_and_the_others_are_sent(template: Path, tmp_path: Path) -> None:
    site, stream, told = copied(template, tmp_path), stream_of(), list[str]()
    broken, missing, *_ = sorted((site / "tables/logs").iterdir())
    broken.write_bytes(broken.read_bytes()[:-9])
    missing.unlink()
    forwarder = send(site, stream, lambda error: told.append(error.diagnostics[0].code))
    assert told == ["part-damaged"] * 2
    assert (forwarder.sent.files, forwarder.sent.refused) == (len(FILES) - 2, 2)
    received = take(tmp_path / "centre", stream).received
    assert received.files == len(FILES) - 2


def test_a_site_with_another_key_waits_in_the_stream_until_the_centre_has_its_key(
    template: Path, tmp_path: Path
) -> None:
    site, stream, told = copied(template, tmp_path), stream_of(limit=10**6), list[str]()
    send(site, stream)
    receiver = take(tmp_path / "other", stream, lambda error: told.append(str(error)), key=bytes(32))
    assert (receiver.received.files, receiver.unfinished) == (0, len(FILES))
    assert len(told) == len(FILES)
    assert all("another key" in each for each in told)
    take(tmp_path / "centre", stream)
    same(site, tmp_path / "centre")


def test_no_sealed_input_and_no_raw_line_travels(template: Path, tmp_path: Path) -> None:
    site, stream = copied(template, tmp_path), stream_of()
    send(site, stream)
    with Lake.open(site) as lake:
        for piece in lake.quarantine():
            for sealed in lake._ledger.sealed(piece.file_id, piece.ordinal):
                assert not any(sealed in each.payload for each in stream.kept.values())
    assert not any(b"bad again" in each.payload for each in stream.kept.values())
    assert not any(b"4712345678" in each.payload for each in stream.kept.values())


def test_messages_that_the_stream_dropped_are_told_and_come_when_all_is_sent_again(
    template: Path, tmp_path: Path
) -> None:
    site, stream, told = copied(template, tmp_path), stream_of(), list[str]()
    send(site, stream)
    for number in list(stream.kept)[:3]:
        del stream.kept[number]
        stream.dropped += 1
    receiver = take(tmp_path / "centre", stream, lambda error: told.append(error.diagnostics[0].code))
    assert (told, receiver.received.missed, receiver.received.files < len(FILES)) == (["messages-missed"], 3, True)
    with contextlib.closing(Outbox(site, "centre")) as outbox:
        outbox.forget()
    stream.ids.clear()
    send(site, stream)
    assert take(tmp_path / "centre", stream).received.missed == 0
    same(site, tmp_path / "centre")


def test_a_site_that_is_to_stop_does_not_wait_for_its_link(template: Path, tmp_path: Path) -> None:
    site, stop = copied(template, tmp_path), asyncio.Event()

    class Stuck(FakeOutlet):
        async def publish(self, message: Message) -> None:
            assert message
            stop.set()
            await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[FakeOutlet]:
        yield Stuck(stream_of())

    with SiteLake(site) as opened, contextlib.closing(Outbox(site, "centre")) as outbox:
        forwarder = Forwarder(opened, outbox, lambda _: None)
        asyncio.run(forward_while(forwarder, connect, Patience(stop, lambda _: None, attempts=1), 5.0))
        assert (forwarder.sent.files, outbox.forwarded()) == (0, {})


def test_a_lake_keeps_its_name_as_a_site(tmp_path: Path) -> None:
    names = list[str]()
    for folder in (tmp_path, tmp_path, tmp_path / "other"):
        folder.mkdir(exist_ok=True)
        with contextlib.closing(Outbox(folder, "centre")) as outbox:
            names.append(outbox.site())
    assert names[0] == names[1] != names[2]


def test_messages_of_others_are_taken_off_the_queue_and_told(tmp_path: Path) -> None:
    told, stream = list[str](), stream_of()
    stream.kept[1] = Message("../../etc", None, Kind.PIECE, b"x", "0" * 64)
    receiver = take(tmp_path / "centre", stream, lambda error: told.append(error.diagnostics[0].code))
    assert (told, receiver.received.foreign, stream.kept) == (["foreign-message"], 1, {})


def spoilt(template: Path, tmp_path: Path, change: Callable[[Manifest], Manifest]) -> str:
    """Return what is told of a file whose manifest was changed on its way."""
    site, stream, told = copied(template, tmp_path), stream_of(limit=10**6), list[str]()
    send(site, stream)
    for number, message in list(stream.kept.items()):
        if message.kind is Kind.MANIFEST and read_manifest(message.payload).file.source.endswith("a.txt"):
            payload = msgspec.json.encode(change(read_manifest(message.payload)))
            stream.kept[number] = Message.of(message.file_id, message.format, Kind.MANIFEST, payload)
    receiver = take(tmp_path / "centre", stream, lambda error: told.append(error.diagnostics[0].message))
    assert (receiver.unfinished, receiver.received.files) == (1, len(FILES) - 1)
    assert len({each.file_id for each in stream.kept.values()}) == 1
    assert contents(tmp_path / "centre")[3].keys() < contents(site)[3].keys()
    (problem,) = told
    return problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: msgspec.structs.replace(m, version=VERSION + 1), "update the older side"),
        (lambda m: msgspec.structs.replace(m, quarantined=()), "does not add up"),
        (lambda m: msgspec.structs.replace(m, filtered=()), "does not add up"),
        (lambda m: msgspec.structs.replace(m, chunks=()), "does not add up"),
        (lambda m: msgspec.structs.replace(m, chunks=m.chunks * 2), "does not add up"),
        (lambda m: msgspec.structs.replace(m, file=msgspec.structs.replace(m.file, tenant="u")), "another tenant"),
        (lambda m: msgspec.structs.replace(m, file=msgspec.structs.replace(m.file, file_id="a" * 16)), "another file"),
        (
            lambda m: msgspec.structs.replace(
                m, chunks=tuple(msgspec.structs.replace(c, table="flows") for c in m.chunks)
            ),
            "another schema",
        ),
        (
            lambda m: msgspec.structs.replace(m, chunks=tuple(msgspec.structs.replace(c, rows=9) for c in m.chunks)),
            "not as many",
        ),
        (
            lambda m: msgspec.structs.replace(
                m, chunks=tuple(msgspec.structs.replace(c, table="future") for c in m.chunks)
            ),
            "does not know",
        ),
    ],
)
def test_what_does_not_add_up_is_not_stored_and_stays_in_the_stream(
    template: Path, tmp_path: Path, change: Callable[[Manifest], Manifest], problem: str
) -> None:
    assert problem in spoilt(template, tmp_path, change)


def test_two_receivers_of_one_lake_are_refused(tmp_path: Path) -> None:
    with Inbox(tmp_path), pytest.raises(StorageError, match="another process receives"):
        Inbox(tmp_path)


def test_a_lake_that_is_written_by_another_delays_but_does_not_lose(template: Path, tmp_path: Path) -> None:
    site, centre, stream = copied(template, tmp_path), tmp_path / "centre", stream_of()
    send(site, stream)
    with Lake.open(centre, create=True) as lake, lake.writer(KEY), pytest.raises(StorageError, match="being written"):
        take(centre, stream)
    take(centre, stream)
    same(site, centre)


FAULTS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["cut", "kill"])), max_size=8)
"""So many steps that go well, then one that does not."""


@dataclass(frozen=True)
class Schedule:
    """Faults of the site's and of the centre's processes; `seed` decides on disorder, repeats and compaction."""

    site: list[tuple[int, str]]
    centre: list[tuple[int, str]]
    seed: int
    limit: int

    def play(self, site: Path, centre: Path) -> Stream:
        chance, stream = Random(self.seed), stream_of(self.limit)  # noqa: S311 - a test's
        stream.order = lambda numbers: chance.sample(numbers, len(numbers))
        plans = {life: [step for gap, fault in faults for step in [*[""] * gap, fault]] for life, faults in self.lives}
        for _ in range(len(self.site) + len(self.centre) + 2):
            for life, lake in ((send, site), (take, centre)):
                stream.faults.plan = plans[life]
                with contextlib.suppress(Killed, UnavailableError, StorageError):
                    life(lake, stream)
            if chance.random() < 0.3:
                stream.ids.clear()  # the server's window is over
            if chance.random() < 0.1:
                with Lake.open(site) as lake:
                    lake.compact()
        return stream

    @property
    def lives(self) -> list[tuple[object, list[tuple[int, str]]]]:
        return [(send, self.site), (take, self.centre)]


@settings(max_examples=15)
@given(st.builds(Schedule, FAULTS, FAULTS, st.integers(0, 2**32), st.integers(1500, 20000)))
def test_any_schedule_of_cuts_kills_repeats_and_disorder_ends_with_the_sites_rows_once(
    template: Path, tmp_path_factory: pytest.TempPathFactory, schedule: Schedule
) -> None:
    folder = tmp_path_factory.mktemp("schedule")
    site, centre = copied(template, folder), folder / "centre"
    stream = schedule.play(site, centre)
    assert stream.kept == {}
    same(site, centre)
    assert list((centre / ".inbox").iterdir()) == []
    shutil.rmtree(folder)


@given(st.binary(max_size=300), st.sampled_from(list(Kind)), st.sampled_from([b"", b'{"version":1,']))
def test_no_bytes_in_a_message_raise_anything_but_value_error(data: bytes, kind: Kind, start: bytes) -> None:
    message = Message.of("a" * 16, None, kind, start + data)
    assert read_message(message.headers, message.payload) == message
    for read in (read_manifest, read_index):
        with contextlib.suppress(ValueError):
            read(message.payload)


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(300, 20000))
def test_pieces_are_never_larger_than_the_limit_and_hold_all_rows_in_order(count: int, limit: int) -> None:
    rows = [
        {
            "ordinal": i,
            "body": NOISE[i * 3 : i * 10],
            "dq_flags": [],
            "tenant": "t",
            "source": "s",
            "file_id": "f",
            "ingest_ts": NOON,
        }
        for i in range(count)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=TABLES["logs"])
    packing = Packing("a" * 16, "lines", limit)
    pieces = {piece.digest: piece.payload for piece in packing.rows("logs", batch)}
    assert max(map(len, pieces.values())) <= limit
    tables = [
        pa.ipc.open_stream(b"".join(pieces[digest] for digest in chunk.pieces)).read_all() for chunk in packing.chunks
    ]
    assert [table.num_rows for table in tables] == [chunk.rows for chunk in packing.chunks]
    assert pa.concat_tables(tables).equals(pa.Table.from_batches([batch]))
