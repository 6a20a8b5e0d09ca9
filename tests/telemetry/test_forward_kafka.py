"""A site and a centre with a broker between them, whose link breaks, which refuses, asks who they are, and forgets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import ssl
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from forward_ends import PROBES, access_to, cellwright, made_certificate, told_by_forwarding
from test_forward import FILES, KEY, NOISE, lines, mediated, same

pytest.importorskip("confluent_kafka", reason="SKIPPED LOUDLY: confluent-kafka, the extra `kafka`, is not installed")

from confluent_kafka import Consumer, Producer, TopicPartition
from kafka_front import COMMIT, FETCH, PRODUCE, Front

from cellwright.errors import CellwrightError, DeniedError, ExitCode, StorageError, UnavailableError, UsageError
from cellwright.lake.disk import Disk
from cellwright.lake.folder import Lake
from cellwright.telemetry.forward import Forwarder
from cellwright.telemetry.forward_centre import Receiver
from cellwright.telemetry.forward_inbox import Inbox
from cellwright.telemetry.forward_kafka import KafkaAccess
from cellwright.telemetry.forward_kafka_properties import PASSWORD, USERNAME
from cellwright.telemetry.forward_link import Proofs
from cellwright.telemetry.forward_message import Kind
from cellwright.telemetry.forward_outbox import Outbox
from cellwright.telemetry.forward_session import Patience, forward_while, receive_while
from cellwright.telemetry.forward_source import SiteLake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cellwright.telemetry.forward import Outlet
    from cellwright.telemetry.forward_kafka import KafkaInlet
    from cellwright.telemetry.forward_message import Message

pytestmark = pytest.mark.integration
TOPIC = "cellwright.files"


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as opened:
        yield opened


@pytest.fixture
def site(tmp_path: Path) -> Path:
    mediated(tmp_path, FILES | {f"{i}.txt": lines(f"file {i}", "? bad") for i in range(20)})
    return tmp_path / "lake"


def ignore(_: CellwrightError) -> None:
    """Tell nobody."""


def send(  # noqa: PLR0913 - a process of a site
    lake: Path,
    url: str,
    tell: Callable[[CellwrightError], None] = ignore,
    *,
    prefix: str = "cellwright",
    attempts: int = 1,
    again: bool = False,
    kind: type[Forwarder] = Forwarder,
) -> Forwarder:
    """Let a new process of the site send once."""

    async def run(forwarder: Forwarder, access: KafkaAccess, name: str) -> None:
        await forward_while(
            forwarder,
            lambda: access.outlet(prefix, name, delivery_s=2.0),
            Patience(asyncio.Event(), tell, attempts=attempts),
            None,
        )

    with SiteLake(lake) as opened, contextlib.closing(Outbox(lake, "centre")) as outbox:
        if again:
            outbox.forget()
        forwarder = kind(opened, outbox, tell)
        asyncio.run(run(forwarder, kafka(url), outbox.site()))
    return forwarder


def take(
    lake: Path,
    url: str,
    tell: Callable[[CellwrightError], None] = ignore,
    *,
    attempts: int = 1,
    disk: Disk | None = None,
) -> Receiver:
    """Let a new process of the centre receive until nothing is left."""
    access = kafka(url)
    Lake.open(lake, create=True).close()
    with Inbox(lake) as inbox:
        receiver = Receiver(lake, KEY, inbox, tell, disk)
        patience = Patience(asyncio.Event(), tell, attempts=attempts)
        asyncio.run(receive_while(receiver, lambda: access.inlet("cellwright"), patience, once=True))
    return receiver


def kafka(url: str) -> KafkaAccess:
    access = access_to(url)
    assert isinstance(access, KafkaAccess)
    return access


def ends(front: Front) -> dict[int, tuple[int, int | None]]:
    """Return where each partition with messages ends, and how far the centre has come in it."""
    consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{front.port}", "group.id": "cellwright.centre"})
    places = [TopicPartition(TOPIC, each) for each in consumer.list_topics(TOPIC).topics[TOPIC].partitions]
    found = {}
    for each in consumer.committed(places, timeout=10):
        _, end = consumer.get_watermark_offsets(each, timeout=10)
        if end:
            found[each.partition] = end, each.offset if each.offset >= 0 else None
    consumer.close()
    return found


def test_the_two_commands_bring_a_lake_to_the_centre_once(site: Path, tmp_path: Path, front: Front) -> None:
    centre = tmp_path / "centre"
    for more in ([], ["--again"]):
        sent = cellwright("forward", site, "--to", front.url, "--once", "-o", "json", *more, folder=tmp_path)
        assert (sent.returncode, sent.stderr) == (0, "")
        assert json.loads(sent.stdout)["files"] == len(FILES) + 20
        taking = ["receive", "--from", front.url, "--lake", centre, "--once", "-o", "json"]
        took = cellwright(*taking, folder=tmp_path)
        assert (took.returncode, took.stderr) == (0, "")
        assert json.loads(took.stdout) == {
            "files": 0 if more else len(FILES) + 20,
            "rows": 0 if more else json.loads(sent.stdout)["rows"],
            "duplicates": len(FILES) + 20 if more else 0,
            "foreign": 0,
            "missed": 0,
            "unfinished": 0,
        }
        same(site, centre)
    assert front.made == {TOPIC: {"cleanup.policy": "delete", "retention.ms": "2592000000"}}


def test_a_site_keeps_to_one_partition_and_what_is_stored_is_committed(
    site: Path, tmp_path: Path, front: Front
) -> None:
    sent = send(site, front.url).sent
    assert [*ends(front).values()] == [(sent.messages, None)]
    take(tmp_path / "centre", front.url)
    assert [*ends(front).values()] == [(sent.messages, sent.messages)]


def test_a_site_may_have_a_topic_of_its_own(site: Path, tmp_path: Path, front: Front) -> None:
    send(site, front.url, prefix="cellwright.oslo-2")
    take(tmp_path / "centre", front.url)
    same(site, tmp_path / "centre")
    assert front.made.keys() == {TOPIC, "cellwright.oslo-2.files"}


@dataclass
class Cutter:
    """Says of every so manieth request of each kind that the link breaks, so often at most."""

    every: dict[int, int]
    left: int

    def __post_init__(self) -> None:
        self.seen = Counter[int]()

    def __call__(self, kind: int) -> bool:
        self.seen[kind] += 1
        cuts = kind in self.every and self.left > 0 and self.seen[kind] % self.every[kind] == 0
        self.left -= cuts
        return cuts


def test_a_link_that_breaks_in_the_middle_of_requests_loses_and_doubles_nothing(
    site: Path, tmp_path: Path, front: Front
) -> None:
    front.configs["max.message.bytes"] = "6000"  # many messages
    front.cut_before, front.cut_after = Cutter({PRODUCE: 7, FETCH: 2}, 5), Cutter({PRODUCE: 5, COMMIT: 1, FETCH: 3}, 5)
    send(site, front.url, attempts=9)
    take(tmp_path / "centre", front.url, attempts=9)
    assert (front.cut_before.left, front.cut_after.left) == (0, 0)
    same(site, tmp_path / "centre")


def test_a_link_that_is_down_is_told_and_work_goes_on_when_it_is_back(site: Path, tmp_path: Path, front: Front) -> None:
    told = list[str]()

    def down(kind: int) -> bool:
        """Shut the door at the first request of a kind."""
        return front.asked.count(kind) == 1 and kind in {PRODUCE, COMMIT}

    def tell(error: CellwrightError) -> None:
        assert isinstance(error, UnavailableError)
        told.append(error.diagnostics[0].code)
        if not front.is_open:
            front.unlock()

    front.shut_before = down
    send(site, front.url, tell, attempts=4)
    assert told == ["link-unavailable"]
    take(tmp_path / "centre", front.url, tell, attempts=6)
    assert {*told[1:]} == {"link-unavailable"}
    same(site, tmp_path / "centre")


KILLING = (
    PROBES
    + """
from cellwright.telemetry import forward_kafka

around(forward_kafka.KafkaOutlet, "publish")
around(forward_kafka.KafkaReceipt, "accept")
around(forward_kafka.KafkaInlet, "settle")
main()
"""
)


def test_processes_killed_in_the_middle_lose_and_double_nothing(site: Path, tmp_path: Path, front: Front) -> None:
    centre = tmp_path / "centre"
    commands = ["forward", site, "--to", front.url], ["receive", "--from", front.url, "--lake", centre]
    ended = [
        cellwright(step, *arguments, "--once", folder=tmp_path, script=KILLING).returncode
        for step in (14, 5, 33, 10**6)
        for arguments in commands
    ]
    assert ended.count(-signal.SIGKILL) >= 4
    assert ended[-2:] == [0, 0]
    same(site, centre)


def test_a_receiver_killed_between_storing_and_committing_stores_nothing_twice(
    site: Path, tmp_path: Path, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process is dead."""

    async def settle(inlet: KafkaInlet) -> None:
        if any(each.floor for each in (inlet._partitions or {}).values()):
            raise Killed

    send(site, front.url)
    with monkeypatch.context() as patch:
        patch.setattr("cellwright.telemetry.forward_kafka.KafkaInlet.settle", settle)
        with pytest.raises(Killed):
            take(tmp_path / "centre", front.url)
    with Lake.open(tmp_path / "centre") as lake:
        stored = len(lake.files())
    assert stored > 0
    assert {committed for _, committed in ends(front).values()} == {None}
    received = take(tmp_path / "centre", front.url).received
    assert (received.duplicates, received.files) == (stored, len(FILES) + 20 - stored)
    same(site, tmp_path / "centre")


def test_pieces_of_a_file_that_is_not_whole_come_again_to_the_next_receiver(
    site: Path, tmp_path: Path, front: Front
) -> None:
    front.configs["max.message.bytes"] = "6000"
    whole = shutil.copytree(site, tmp_path / "whole")

    class Lazy(Forwarder):
        """Sends all of the second file but its manifest."""

        async def _publish(self, message: Message, outlet: Outlet) -> None:
            if self.sent.files == 1 and message.kind is not Kind.PIECE:
                raise UnavailableError.of("link-unavailable", "gone for good")
            await super()._publish(message, outlet)

    with pytest.raises(UnavailableError):
        send(site, front.url, kind=Lazy)
    assert take(tmp_path / "centre", front.url).unfinished == 1
    send(whole, front.url)  # another site has its place in the partitions
    send(site, front.url)
    assert take(tmp_path / "centre", front.url).unfinished == 0
    same(site, tmp_path / "centre")


class FullDisk(Disk):
    """A disk that has room for so many names."""

    def __init__(self, room: int) -> None:
        self._room = room

    def rename(self, source: Path, target: Path) -> None:
        self._room -= 1
        if self._room < 0:
            raise StorageError.of("not-written", "no space left on device")
        super().rename(source, target)


def test_a_centre_without_room_commits_no_more_than_it_stored(site: Path, tmp_path: Path, front: Front) -> None:
    send(site, front.url)
    with pytest.raises(StorageError, match="no space left"):
        take(tmp_path / "centre", front.url, disk=FullDisk(3))
    assert all(committed is None or committed < end for end, committed in ends(front).values())
    take(tmp_path / "centre", front.url)
    same(site, tmp_path / "centre")


def test_messages_that_the_topic_dropped_are_counted_once_and_come_when_all_is_sent_again(
    site: Path, tmp_path: Path, front: Front
) -> None:
    told = list[str]()
    send(site, front.url)
    ((partition, _),) = ends(front).items()
    other = Producer({"bootstrap.servers": f"127.0.0.1:{front.port}"})
    for _ in range(12):  # the mock keeps 5 MiB of a partition
        other.produce(TOPIC, bytes(900_000), partition=partition)
    assert other.flush(30) == 0
    receiver = take(tmp_path / "centre", front.url, lambda error: told.append(error.diagnostics[0].code))
    assert receiver.received.missed > 0
    assert told.count("messages-missed") == 1
    send(site, front.url, again=True)
    assert take(tmp_path / "centre", front.url).received.missed == 0
    same(site, tmp_path / "centre")


def test_messages_are_no_larger_than_the_topic_takes(tmp_path: Path, front: Front) -> None:
    front.configs["max.message.bytes"] = "6000"
    mediated(tmp_path, {"large.txt": lines(*(NOISE[i * 97 : i * 97 + 3000][:: 1 + i % 3] for i in range(60)))})
    assert send(tmp_path / "lake", front.url).sent.messages > 2
    take(tmp_path / "centre", front.url)
    same(tmp_path / "lake", tmp_path / "centre")


def test_a_compacted_topic_is_refused(site: Path, front: Front) -> None:
    front.configs["cleanup.policy"] = "compact"
    error = told_by_forwarding(kafka(front.url), site)
    assert isinstance(error, UsageError)
    assert error.diagnostics[0].code == "compacted-topic"


def test_a_topic_that_is_absent_and_may_not_be_made_is_told(site: Path, front: Front) -> None:
    front.may_create = False
    error = told_by_forwarding(kafka(front.url), site)
    assert isinstance(error, UnavailableError)
    assert error.diagnostics[0].code == "no-topic"


def test_a_broker_that_is_not_there_is_told_to_both(site: Path, tmp_path: Path, front: Front) -> None:
    front.lock()
    assert told_by_forwarding(kafka(front.url), site).diagnostics[0].code == "link-unavailable"
    with pytest.raises(UnavailableError, match="link-unavailable"):
        take(tmp_path / "centre", front.url)


def test_a_receiver_ends_when_another_takes_its_place(front: Front) -> None:
    async def until_empty(inlet: KafkaInlet) -> None:
        while await inlet.backlog():
            await inlet.fetch(0.1)

    async def for_ever(inlet: KafkaInlet) -> None:
        while True:
            await inlet.fetch(0.1)

    async def play() -> None:
        async with kafka(front.url).inlet("cellwright") as older:
            await until_empty(older)
            async with kafka(front.url).inlet("cellwright") as newer:
                await until_empty(newer)
                with pytest.raises(DeniedError, match="receiver-replaced"):
                    await for_ever(older)

    asyncio.run(play())


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_only_who_has_the_password_is_let_in_and_no_message_shows_it(
    site: Path, tmp_path: Path, mechanism: str
) -> None:
    properties = tmp_path / "client.properties"
    properties.write_text(f"# ours\nsasl.mechanism = {mechanism}\n")
    with Front(login=("oslo", "open-sesame")) as front:
        command = ["forward", site, "--to", front.url, "--credentials", properties, "--once"]
        wrong = cellwright(*command, folder=tmp_path, **{USERNAME: "oslo", PASSWORD: "open-wrong"})
        assert (wrong.returncode, wrong.stdout) == (ExitCode.DENIED, "")
        assert wrong.stderr.startswith("error[link-denied]")
        assert "open-" not in wrong.stderr
        right = cellwright(*command, folder=tmp_path, **{USERNAME: "oslo", PASSWORD: "open-sesame"})
        assert (right.returncode, right.stderr) == (0, "")


def test_tls_is_used_and_an_unknown_authority_is_refused(site: Path, tmp_path: Path) -> None:
    certificate, key = made_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(certificate, key)
    with Front(tls=tls) as front:
        error = told_by_forwarding(kafka(front.url), site)
        assert error.diagnostics[0].code == "link-tls"
        error = told_by_forwarding(access_to(front.url, Proofs(authority=certificate)), site)
        assert isinstance(error, UnavailableError)
        proofs = ["--tls-ca", certificate, "--tls-certificate", certificate, "--tls-key", key]
        sent = cellwright("forward", site, "--to", front.url, *proofs, "--once", folder=tmp_path)
        assert (sent.returncode, sent.stderr) == (0, "")
