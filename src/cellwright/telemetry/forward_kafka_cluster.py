"""What the clients of one session with a Kafka cluster share: their settings, their topic, and what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cellwright.errors import CellwrightError, DeniedError, UnavailableError, UsageError
from cellwright.plugins import load_extra
from cellwright.telemetry.forward_kafka_properties import LOGIN
from cellwright.telemetry.forward_link import unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from cellwright.telemetry.forward_link import Address

TIMEOUT_S: Final = 10.0
"""Of every single question."""
POLL_S: Final = 0.1
_LARGEST: Final = 1_000_000  # bytes that the client and a broker take unless they are told otherwise
_KEPT_MS: Final = 30 * 24 * 3600 * 1000  # in a topic that we make
_UNSAID: Final = {"_ALL_BROKERS_DOWN", "_TIMED_OUT"}  # says less than what went before it


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a user is told of errors of the client, which is named by their names."""

    names: frozenset[str]
    kind: type[CellwrightError]
    code: str
    message: str
    hint: str


_MEANINGS: Final = (
    _Meaning(
        frozenset({"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM"}),
        DeniedError,
        "link-denied",
        "does not let us in",
        LOGIN,
    ),
    _Meaning(
        frozenset({"TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"}),
        DeniedError,
        "link-denied",
        "does not let us do this",
        "kafka-acls.sh: a site has to Write and Describe its topic, the centre to Read the topics and its group",
    ),
    _Meaning(
        frozenset({"_SSL"}),
        DeniedError,
        "link-tls",
        "is not trusted",
        "--tls-ca FILE names the authority that signed its certificate",
    ),
    _Meaning(
        frozenset({"FENCED_INSTANCE_ID", "_FATAL"}),
        DeniedError,
        "receiver-replaced",
        "has given our place to another process that receives for this centre",
        "run one of them",
    ),
    _Meaning(
        frozenset({"MSG_SIZE_TOO_LARGE", "KAFKA_STORAGE_ERROR", "POLICY_VIOLATION", "INVALID_RECORD"}),
        UnavailableError,
        "stream-refused",
        "does not take what we send",
        "look at max.message.bytes of the topic and at the disks of the brokers",
    ),
    _Meaning(
        frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"}),
        UnavailableError,
        "no-topic",
        "has no topic for the files, and does not let us make it",
        "kafka-topics.sh --create --topic PREFIX.files --config retention.ms=2592000000",
    ),
)
_UNTRUSTED: Final = "verif"  # in what OpenSSL says of a certificate, not in what it says of a cut


@dataclass(frozen=True, slots=True)
class Topic:
    """Where the messages travel."""

    name: str
    identity: str  # another one when it was made anew
    largest: int  # bytes that it takes at once


class Cluster:
    """What the clients of one session share: their settings, and what went wrong in the background."""

    def __init__(self, address: Address, config: Mapping[str, str], name: str) -> None:
        self.kafka, self.address = _client(), address
        self.is_down = False  # all brokers, as far as is known
        self._config = dict(config) | {
            "client.id": name,
            "socket.timeout.ms": int(TIMEOUT_S * 1000),
            "error_cb": self._on_error,
        }
        self._last: Any = None
        self._admin = self.client(self.kafka.admin.AdminClient, {})

    def client(self, kind: Callable[..., Any], settings: dict[str, object]) -> Any:  # noqa: ANN401 - of the optional client
        """Return a client; raise UsageError where its certificates or properties cannot be used."""
        try:
            return kind(self._config | settings, logger=_silent())
        except self.kafka.KafkaException as error:
            raise UsageError.of(
                "wrong-certificate",
                "the certificates or properties of the link cannot be used",
                cause=error.args[0].str(),
                expected="PEM files: --tls-ca, --tls-certificate with --tls-key",
            ) from error

    async def ask(self, future: Future[Any]) -> Any:  # noqa: ANN401 - as above
        """Return what a cluster answers; raise UnavailableError when it does not in time."""
        clock = asyncio.get_running_loop().time
        end = clock() + TIMEOUT_S
        while not future.done():
            await asyncio.to_thread(self._admin.poll, POLL_S)
            self.check()
            if self.is_down or clock() > end:
                await self._hear_out()
                raise unreachable(self.address, self._cause())
        try:
            return future.result()
        except self.kafka.KafkaException as error:
            await self._hear_out()
            raise self.failure(error.args[0]) from error

    async def _hear_out(self) -> None:
        """Raise why a broker was left if that is told yet: it may come behind the word that all of them are down."""
        await asyncio.to_thread(self._admin.poll, POLL_S)
        self.check()

    def check(self) -> None:
        """Raise what was told in the background and is not mended by waiting."""
        if self._last is not None:
            failure = self.failure(self._last)
            if not isinstance(failure, UnavailableError):
                raise failure

    def failure(self, error: Any) -> CellwrightError:  # noqa: ANN401 - of the optional client
        """Return what is told of an error of the client; its text names brokers and topics, never a secret."""
        name = error.name()
        for each in _MEANINGS:
            if name in each.names and (name != "_SSL" or _is_untrusted(error)):
                message = f"the server at {self.address} {each.message}"
                return each.kind.of(each.code, message, cause=error.str(), hint=each.hint)
        self._note(error)
        return unreachable(self.address, self._cause())

    def _cause(self) -> str:
        return "no answer in time" if self._last is None else self._last.str()

    def _on_error(self, error: Any) -> None:  # noqa: ANN401 - as above
        """Keep an error for who asks; the client itself goes on."""
        self.is_down = self.is_down or error.name() == "_ALL_BROKERS_DOWN"
        self._note(error)

    def _note(self, error: Any) -> None:  # noqa: ANN401 - as above
        """Keep an error unless one that says more is kept already, such as a certificate that is not trusted."""
        if self._last is None or (error.name() not in _UNSAID and not _is_untrusted(self._last)):
            self._last = error

    async def topic(self, name: str) -> Topic:
        """Return a topic, made if there is none; raise UsageError where it would keep only the last of a site."""
        return Topic(name, await self._made(name), await self._largest(name))

    async def _made(self, name: str) -> str:
        try:
            return await self._identity(name)
        except UnavailableError as error:
            if error.diagnostics[0].code != "no-topic":
                raise
        new = self.kafka.admin.NewTopic(
            name,
            num_partitions=-1,  # as the brokers have it
            replication_factor=-1,
            config={"cleanup.policy": "delete", "retention.ms": str(_KEPT_MS)},
        )
        with contextlib.suppress(UnavailableError, DeniedError):  # somebody else may just have made it
            await self.ask(self._admin.create_topics([new], request_timeout=TIMEOUT_S)[name])
        return await self._identity(name)

    async def _identity(self, name: str) -> str:
        names = self.kafka.TopicCollection([name])
        described = await self.ask(self._admin.describe_topics(names, request_timeout=TIMEOUT_S)[name])
        return f"{name} {described.topic_id}"

    async def _largest(self, topic: str) -> int:
        kind = self.kafka.admin.ConfigResource
        resource = kind(kind.Type.TOPIC, topic)
        try:
            found = await self.ask(self._admin.describe_configs([resource], request_timeout=TIMEOUT_S)[resource])
        except DeniedError:
            return _LARGEST
        if "compact" in found["cleanup.policy"].value:
            raise UsageError.of(
                "compacted-topic",
                f"the topic {topic} is compacted: it would keep only the last message of each site",
                expected="cleanup.policy=delete",
            )
        return min(_LARGEST, int(found["max.message.bytes"].value))

    async def is_back(self) -> bool:
        """Return whether the cluster answers, after it was told that it does not."""
        self.is_down, self._last = False, None
        try:
            await self.ask(self._admin.describe_cluster(request_timeout=TIMEOUT_S))
        except UnavailableError:
            return False
        return True


def _is_untrusted(error: Any) -> bool:  # noqa: ANN401 - of the optional client
    return error.name() == "_SSL" and _UNTRUSTED in error.str()


def _silent() -> logging.Logger:
    """Return where the client may say what it likes; what matters reaches who asked."""
    logger = logging.getLogger("cellwright.kafka")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


def _client() -> Any:  # noqa: ANN401 - an optional package
    return load_extra("kafka", "Kafka needs", "confluent_kafka", "admin")
