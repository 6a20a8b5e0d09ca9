"""Both ends of the link over Kafka; the client, `confluent-kafka`, is an optional extra and loaded when it is used.

All messages of a site bear its key and so lie in one partition, in order. Kafka knows no acknowledgement of a single
message, only how far a group has come in a partition: it is told the first message that the centre still needs, so that
what follows comes again after a crash and is known there. Kafka keeps messages for a time and not until somebody has
them: what it dropped before the centre came is counted. The receiver is a static member of its group: the one that
comes after a crash takes its place at once, and of two the older is told and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.forward_centre import Parcel
from cellwright.telemetry.forward_kafka_cluster import POLL_S, TIMEOUT_S, Cluster
from cellwright.telemetry.forward_kafka_properties import LOGIN, read_properties, security
from cellwright.telemetry.forward_link import NO_PROOFS, Proofs, clear_secret, unreachable
from cellwright.telemetry.forward_message import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from cellwright.telemetry.forward_kafka_cluster import Topic
    from cellwright.telemetry.forward_link import Address
    from cellwright.telemetry.forward_message import Message

_DELIVERY_S: Final = 30.0  # in which the client tries again by itself to bring a message to the brokers
_BATCH: Final = 32  # messages in memory at the centre: some 28 MiB, and as much that the client reads ahead
_AHEAD_KIB: Final = 32 * 2**10
_ANSWER_S: Final = 0.02  # in which a commit is answered as a rule
_CLOSING_S: Final = 5.0
_HOLD_S: Final = 15.0  # after four of these without a message a single run ends
_STORING_S: Final = 900.0  # between two fetches, at most
_HEADROOM: Final = 4 * 2**10  # bytes of a message for its key, its headers and Kafka's frame
_LEAST: Final = 2**10


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How to reach a cluster and prove who one is; no property shows in a representation."""

    address: Address
    proofs: Proofs = NO_PROOFS
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def uses_tls(self) -> bool:
        """Return whether the link is encrypted; Kafka's clients do what they are told, whatever the server asks for."""
        return self.config()["security.protocol"].endswith("SSL")

    def config(self) -> dict[str, str]:
        """Return what the client has to know to connect."""
        wants_tls = self.address.scheme == "kafka+tls"
        return {"bootstrap.servers": ",".join(self.address.servers)} | security(
            self.properties, self.proofs, wants_tls=wants_tls
        )

    def outlet(
        self, prefix: str, site: str, delivery_s: float = _DELIVERY_S
    ) -> AbstractAsyncContextManager[KafkaOutlet]:
        """Return a site's end for the block; the topic is made when there is none."""
        return _outlet(self, prefix, site, delivery_s)

    def inlet(self, prefix: str) -> AbstractAsyncContextManager[KafkaInlet]:
        """Return the centre's end for the block; a topic is made when there is none."""
        return _inlet(self, prefix)


class _Kafka:
    """The plugin `kafka`."""

    schemes = ("kafka", "kafka+tls")
    port = 9092
    example = "kafka://HOST:PORT or kafka+tls://HOST:PORT, brokers of Apache Kafka with commas between"
    secrets = LOGIN

    def access(self, address: Address, proofs: Proofs, environ: Mapping[str, str]) -> KafkaAccess:
        """Return how to reach an address; raise UsageError for wrong properties or a password others could read."""
        access = KafkaAccess(address, proofs, read_properties(proofs.credentials, environ))
        config = access.config()
        if config.get("sasl.mechanism") == "PLAIN" and not access.uses_tls and not address.is_loopback:
            raise clear_secret("sasl.password", address, "kafka+tls://HOST:PORT, or --tls-ca FILE")
        return access


CARRIER: Final = _Kafka()


class KafkaOutlet:
    """A site's end."""

    def __init__(self, cluster: Cluster, topic: Topic, site: str, delivery_s: float) -> None:
        self.stream = topic.identity
        self.limit = min(LIMIT, max(topic.largest - _HEADROOM, _LEAST))
        self._cluster, self._topic, self._site = cluster, topic.name, site
        self._producer = cluster.client(
            cluster.kafka.Producer,
            {
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "none",  # rows are compressed already
                "delivery.timeout.ms": int(delivery_s * 1000),
                "message.max.bytes": topic.largest,
                "batch.size": topic.largest,
                "linger.ms": 5,
            },
        )
        self._ends = False

    async def publish(self, message: Message) -> None:
        """Return when all replicas in sync hold a message; raise UnavailableError when that is not certain."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Any] = loop.create_future()

        def on_delivery(error: Any, _: object) -> None:  # noqa: ANN401 - of the optional client
            loop.call_soon_threadsafe(_set, told, error)

        try:
            self._producer.produce(
                self._topic, message.payload, self._site, headers=message.headers, on_delivery=on_delivery
            )
        except self._cluster.kafka.KafkaException as error:
            raise self._cluster.failure(error.args[0]) from error
        failed = await told
        if failed is not None:
            self._cluster.check()
            raise self._cluster.failure(failed)

    def serve(self) -> None:
        """Hear of deliveries until it ends; a thread's work."""
        while not self._ends:
            self._producer.poll(POLL_S)

    def end(self) -> None:
        """Forget what is not delivered: who sent it knows that it is not certain."""
        self._producer.purge()
        self._producer.flush(POLL_S)
        self._ends = True


@dataclass(slots=True)
class _Partition:
    """How far the centre has come in one partition."""

    next: int  # offset after the last message that was delivered
    committed: int | None
    needed: set[int] = field(default_factory=set)  # delivered, and not yet in the lake

    @property
    def floor(self) -> int:
        """Return the offset of the first message that is still needed."""
        return min(self.needed, default=self.next)


@dataclass(frozen=True, slots=True)
class KafkaReceipt:
    """What is said of one message, without the message itself."""

    place: tuple[str, int, int]  # topic, partition, offset
    partition: _Partition

    async def accept(self) -> None:
        """Say that the message need not be kept any longer."""
        self.partition.needed.discard(self.place[2])

    async def hold(self) -> None:
        """Kafka does not deliver a message again while its receiver lives."""

    async def give_back(self) -> None:
        """What was not committed comes again to who comes next."""


class KafkaInlet:
    """The centre's end."""

    hold_s = _HOLD_S

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self._cluster, self._missed = cluster, 0
        self._partitions: dict[tuple[str, int], _Partition] | None = None  # none before the group has met
        self._early: list[Any] = []  # messages that came while an answer was awaited
        self._answer: list[Any] | None = None
        self._consumer = cluster.client(
            cluster.kafka.Consumer,
            {
                "group.id": f"{prefix}.centre",
                "group.instance.id": "centre",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",  # where to begin is decided, and counted, here
                "max.poll.interval.ms": int(_STORING_S * 1000),
                "on_commit": self._on_commit,
                "queued.max.messages.kbytes": _AHEAD_KIB,
                "topic.metadata.refresh.interval.ms": 60_000,
            },
        )
        self._consumer.subscribe([_pattern(prefix)], on_assign=self._on_assign)

    def missed(self) -> int:
        """Return how many messages the topic dropped before they came here, since this was asked last."""
        missed, self._missed = self._missed, 0
        return missed

    async def fetch(self, wait_s: float) -> Sequence[Parcel]:
        """Return messages, or none after so long; raise UnavailableError."""
        found = await self._ask(self._poll, wait_s)
        for each in found:
            if each.error() is not None:
                raise self._cluster.failure(each.error())
        self._cluster.check()
        if self._cluster.is_down and not found and not await self._cluster.is_back():
            raise unreachable(self._cluster.address, "no broker answers")
        self._cluster.is_down = False
        return [self._parcel(each) for each in found]

    async def settle(self) -> None:
        """Return when how far the centre has come has reached the brokers."""
        moved = [
            (self._cluster.kafka.TopicPartition(*place, each.floor), each)
            for place, each in (self._partitions or {}).items()
            if each.floor != each.committed
        ]
        if not moved:
            return
        for error in await self._ask(self._commit, [place for place, _ in moved]):
            raise self._cluster.failure(error)
        for place, partition in moved:
            partition.committed = place.offset

    async def backlog(self) -> int:
        """Return how many messages the partitions hold from the first that the centre still needs."""
        if self._partitions is None:
            return sys.maxsize
        return sum([await self._ahead(place) + len(each.needed) for place, each in self._partitions.items()])

    async def _ahead(self, place: tuple[str, int]) -> int:
        _, end = await self._ask(self._bounds, self._cluster.kafka.TopicPartition(*place))
        return max(0, int(end) - (self._partitions or {})[place].next)

    def close(self) -> None:
        """Leave the brokers, who keep the place in the group; a client that waits for one of them is left behind."""
        closing = threading.Thread(target=self._consumer.close, daemon=True)
        closing.start()
        closing.join(_CLOSING_S)

    async def _ask(self, call: Callable[..., Any], *arguments: object, **more: object) -> Any:  # noqa: ANN401 - of the optional client
        try:
            return await asyncio.to_thread(call, *arguments, **more)
        except self._cluster.kafka.KafkaException as error:
            raise self._cluster.failure(error.args[0]) from error

    def _poll(self, wait_s: float) -> list[Any]:
        early, self._early = self._early, []
        first = None if early else self._consumer.poll(wait_s)
        return early if first is None else [first, *self._consumer.consume(_BATCH - 1, timeout=0)]

    def _commit(self, places: list[Any]) -> list[Any]:
        """Return the errors of a commit; a synchronous one would wait for ever for a broker that is not there."""
        self._answer = None
        self._consumer.commit(offsets=places, asynchronous=True)
        end = time.monotonic() + TIMEOUT_S
        while self._answer is None and not self._cluster.is_down and time.monotonic() < end:
            self._early += self._consumer.consume(1, _ANSWER_S)
        if self._answer is None:
            raise unreachable(self._cluster.address, "no answer in time")
        return self._answer

    def _on_commit(self, error: Any, places: Sequence[Any]) -> None:  # noqa: ANN401 - as above
        self._answer = [each for each in (error, *(place.error for place in places)) if each is not None]

    def _parcel(self, message: Any) -> Parcel:  # noqa: ANN401 - as above
        topic, number, offset = message.topic(), message.partition(), message.offset()
        partition = (self._partitions or {})[topic, number]
        partition.next = offset + 1
        partition.needed.add(offset)
        headers = {name: value.decode("ascii", "replace") for name, value in message.headers() or () if value}
        return Parcel(headers, message.value() or b"", KafkaReceipt((topic, number, offset), partition))

    def _on_assign(self, consumer: Any, assigned: Sequence[Any]) -> None:  # noqa: ANN401 - as above
        """Begin at the first message that is needed, or, where it is no more, at the first that is there."""
        places = consumer.committed(assigned, timeout=TIMEOUT_S)
        partitions = {}
        for each in places:
            first, end = self._bounds(each)
            was = each.offset if 0 <= each.offset <= end else None  # beyond the end: of a topic that is no more
            each.offset = first if was is None else max(first, was)
            self._missed += each.offset - (was or 0)
            partitions[each.topic, each.partition] = _Partition(each.offset, was)
        consumer.assign(places)
        self._partitions = partitions

    def _bounds(self, place: Any) -> tuple[int, int]:  # noqa: ANN401 - as above
        first, end = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
        return int(first), int(end)


@contextlib.asynccontextmanager
async def _outlet(access: KafkaAccess, prefix: str, site: str, delivery_s: float) -> AsyncIterator[KafkaOutlet]:
    cluster = Cluster(access.address, access.config(), f"cellwright-{site}")
    outlet = KafkaOutlet(cluster, await cluster.topic(f"{prefix}.files"), site, delivery_s)
    serving = asyncio.ensure_future(asyncio.to_thread(outlet.serve))
    try:
        yield outlet
    finally:
        await asyncio.to_thread(outlet.end)
        await serving


@contextlib.asynccontextmanager
async def _inlet(access: KafkaAccess, prefix: str) -> AsyncIterator[KafkaInlet]:
    cluster = Cluster(access.address, access.config(), "cellwright-centre")
    await cluster.topic(f"{prefix}.files")
    inlet = KafkaInlet(cluster, prefix)
    try:
        yield inlet
    finally:
        await asyncio.to_thread(inlet.close)


def _pattern(prefix: str) -> str:
    """Return the pattern of the topics of a centre: its own, and those of sites that have one each."""
    return rf"^{prefix.replace('.', '[.]')}[.](.+[.])?files$"


def _set(told: asyncio.Future[Any], answer: object) -> None:
    if not told.done():
        told.set_result(answer)
