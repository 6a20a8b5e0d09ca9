"""Both ends of the link over NATS JetStream; the client, `nats-py`, is an optional extra and loaded when it is used.

A connection that breaks is not mended here: the session that uses it ends with UnavailableError and opens another, so
that one place decides how often and how long. The stream keeps a message until the centre acknowledged it (work-queue
retention, in files) and refuses new ones when it is full (discard new): a site then waits, nothing is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cellwright.errors import DeniedError, UnavailableError, UsageError
from cellwright.plugins import load_extra
from cellwright.telemetry.forward_centre import Parcel
from cellwright.telemetry.forward_link import NO_PROOFS, Proofs, clear_secret, unreachable
from cellwright.telemetry.forward_message import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import ModuleType

    from cellwright.telemetry.forward_link import Address
    from cellwright.telemetry.forward_message import Message

T = TypeVar("T")
TOKEN: Final = "CELLWRIGHT_NATS_TOKEN"  # noqa: S105 - the name of the variable
_TIMEOUT_S: Final = 10.0  # of every single request
_CLOSING_S: Final = 1.0  # the client waits for ever for a TLS session that never came to be
_HEADROOM: Final = 8 * 2**10  # bytes of a message for its headers
_LEAST: Final = 2**10
_STREAM_BYTES: Final = 4 * 2**30
_DUPLICATES_S: Final = 600.0  # the server forgets the id of a message after so long; the centre never does
_DURABLE: Final = "centre"
_BATCH: Final = 32  # messages in memory at the centre: some 28 MiB
_ACK_WAIT_S: Final = 60.0
_HOLDS: Final = 3  # a message is held so many times before it would be delivered again
_NO_JETSTREAM: Final = (10039, 10076)  # nats-server, server/errors.json: not enabled for the account, for the server
_HINT: Final = "start the server with JetStream (nats-server -js), or ask who runs it"


@dataclass(frozen=True, slots=True)
class NatsAccess:
    """How to reach a server and prove who one is; the token never shows in a representation."""

    address: Address
    proofs: Proofs = NO_PROOFS
    token: str | None = field(default=None, repr=False)

    @property
    def uses_tls(self) -> bool:
        """Return whether the link is encrypted whatever the server asks for."""
        return self.address.scheme == "tls" or self.proofs.wants_tls

    def outlet(self, prefix: str, site: str) -> AbstractAsyncContextManager[NatsOutlet]:
        """Return a site's end for the block; the stream is made when there is none for the subject."""
        return _outlet(self, prefix, site)

    def inlet(self, prefix: str, ack_wait_s: float = _ACK_WAIT_S) -> AbstractAsyncContextManager[NatsInlet]:
        """Return the centre's end for the block; stream and consumer are made when there are none."""
        return _inlet(self, prefix, ack_wait_s)


class _Nats:
    """The plugin `nats`."""

    schemes = ("nats", "tls")
    port = 4222
    example = "nats://HOST:PORT or tls://HOST:PORT, a NATS server with JetStream"
    secrets = f"--credentials FILE, or a token in {TOKEN}"

    def access(self, address: Address, proofs: Proofs, environ: Mapping[str, str]) -> NatsAccess:
        """Return how to reach an address; raise UsageError for a token that others could read."""
        access = NatsAccess(address, proofs, environ.get(TOKEN) or None)
        if access.token and not access.uses_tls and not address.is_loopback:
            raise clear_secret(TOKEN, address, "tls://HOST:PORT, or --tls-ca FILE")
        return access


CARRIER: Final = _Nats()


class _Link:
    """One open connection; what is asked of it ends when it breaks."""

    def __init__(self, nats: ModuleType, access: NatsAccess, name: str) -> None:
        self.client: Any = None
        self.nats, self.access, self._name = nats, access, name
        self._lost = asyncio.Event()
        self._last: Exception | None = None
        self._tls = _tls(access.proofs) if access.uses_tls else None

    async def open(self) -> None:
        """Connect; raise UnavailableError or DeniedError."""
        options = self._options()
        self.client = self.nats.NATS()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self.client.connect(**options)
        except (OSError, self.nats.errors.Error) as error:
            await self.close()  # the client leaves its socket open
            at_first = isinstance(error, self.nats.errors.NoServersError) and self._last
            raise self._refusal(at_first or error) from error
        if not self._is_private():
            await self.close()
            raise self._without_tls()

    def _options(self) -> dict[str, Any]:
        access = self.access
        named = {
            "user_credentials": access.proofs.credentials and str(access.proofs.credentials),
            "token": self._token if access.token else None,
            "tls": self._tls,
        }
        return {name: value for name, value in named.items() if value is not None} | {
            "servers": [f"{access.address.scheme}://{each}" for each in access.address.servers],
            "name": self._name,
            "allow_reconnect": False,
            "connect_timeout": int(_TIMEOUT_S),
            "max_reconnect_attempts": 1,  # of one connection; 0 would mean for ever
            "reconnect_time_wait": 0,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_lost,
            "closed_cb": self._on_lost,
        }

    def _is_private(self) -> bool:
        """Return whether TLS is in use where it is wanted: the client would go on without it if the server let it."""
        return self._tls is None or self._tls.is_used

    def _token(self) -> str:
        """Return the token once nobody on the way can read it."""
        return (self.access.token or "") if self._is_private() else ""

    async def _on_error(self, error: Exception) -> None:
        """Keep an error for who asked, who tells it: the library would log it with what was sent."""
        self._last = error

    async def _on_lost(self) -> None:
        self._lost.set()

    async def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Return an answer; raise UnavailableError when there is none in time or the connection breaks."""
        asked, lost = asyncio.ensure_future(question), asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({asked, lost}, timeout=_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if asked.done() and not asked.cancelled():
                return asked.result()
        except (OSError, self.nats.errors.Error) as error:
            raise self._failure(error) from error
        finally:
            asked.cancel()
            lost.cancel()
        raise unreachable(self.access.address, "the connection broke or the server does not answer")

    async def close(self) -> None:
        """Close the connection, if it still is one."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSING_S):
                await self.client.close()

    def _refusal(self, error: Exception) -> UnavailableError | DeniedError | UsageError:
        """Return what is told of a connection that could not be made; the text of the library may hold secrets."""
        said = str(error).lower()
        if (
            isinstance(error, self.nats.errors.AuthorizationError)
            or "authorization" in said
            or "authentication" in said
        ):
            if not self._is_private():
                return self._without_tls()
            return DeniedError.of(
                "link-denied",
                f"the server at {self.access.address} does not let us in",
                expected=CARRIER.secrets,
            )
        if isinstance(error, ssl.SSLError):
            return DeniedError.of(
                "link-tls",
                f"there is no trusted TLS with {self.access.address}",
                cause=getattr(error, "verify_message", "") or error.reason or "TLS failed",
                hint="--tls-ca FILE names the authority that signed the server's certificate",
            )
        if isinstance(error, self.nats.errors.SecureConnWantedError | self.nats.errors.SecureConnRequiredError):
            return UsageError.of(
                "link-tls", f"{self.access.address} and this side do not agree on TLS", hint="tls://HOST:PORT"
            )
        return unreachable(self.access.address, _cause(error))

    def _without_tls(self) -> DeniedError:
        message = f"the server at {self.access.address} offers no TLS: no file and no token was sent to it"
        return DeniedError.of("link-tls", message, hint="let the server require TLS")

    def _failure(self, error: Exception) -> UnavailableError:
        """Return what is told of a question that was not answered as it should be."""
        js = self.nats.js.errors
        code = error.err_code if isinstance(error, js.APIError) else None
        absent = isinstance(error, js.NoStreamResponseError | self.nats.errors.NoRespondersError)
        if absent or code in _NO_JETSTREAM or (isinstance(error, js.ServiceUnavailableError) and code is None):
            return UnavailableError.of(
                "no-jetstream", f"the server at {self.access.address} has no JetStream or no stream for it", hint=_HINT
            )
        if isinstance(error, js.APIError):
            return UnavailableError.of(
                "stream-refused",
                f"the stream at {self.access.address} does not take it",
                cause=error.description or f"code {code}",
                hint="a full stream empties when the centre receives",
            )
        return unreachable(self.access.address, _cause(error))


class NatsOutlet:
    """A site's end."""

    def __init__(self, link: _Link, subject: str, stream_name: str, stream: str) -> None:
        self.stream = stream
        self.limit = min(LIMIT, max(link.client.max_payload - _HEADROOM, _LEAST))
        self._link, self._subject, self._stream_name = link, subject, stream_name
        self._js = link.client.jetstream(timeout=_TIMEOUT_S)

    async def publish(self, message: Message) -> None:
        """Return when the stream holds a message; raise UnavailableError when that is not certain."""
        headers = message.headers | {"Nats-Msg-Id": message.id}
        await self._link.ask(
            self._js.publish(self._subject, message.payload, stream=self._stream_name, headers=headers)
        )


class NatsReceipt:
    """What is said of one message, without the message itself."""

    def __init__(self, link: _Link, reply: str, number: int) -> None:
        self.place = number
        self._link, self._reply = link, reply

    async def accept(self) -> None:
        """Say that the message need not be kept any longer."""
        await self._say(b"+ACK")

    async def hold(self) -> None:
        """Say that it is still being worked on."""
        await self._say(b"+WPI")

    async def give_back(self) -> None:
        """Say that it is to be delivered again."""
        await self._say(b"-NAK")

    async def _say(self, word: bytes) -> None:
        await self._link.ask(self._link.client.publish(self._reply, word))


class NatsInlet:
    """The centre's end."""

    def __init__(self, link: _Link, subscription: Any, ack_wait_s: float) -> None:  # noqa: ANN401 - of the optional client
        self.hold_s = ack_wait_s / _HOLDS
        self._link, self._subscription = link, subscription

    async def fetch(self, wait_s: float) -> Sequence[Parcel]:
        """Return messages, or none after so long; raise UnavailableError."""
        try:
            found = await self._link.ask(self._subscription.fetch(_BATCH, timeout=wait_s))
        except UnavailableError as error:
            if isinstance(error.__cause__, TimeoutError) and self._link.client.is_connected:
                return ()
            raise
        return [
            Parcel(each.headers or {}, each.data, NatsReceipt(self._link, each.reply, each.metadata.sequence.stream))
            for each in found
        ]

    def missed(self) -> int:
        """Return 0: a work queue that discards new messages drops none that it took."""
        return 0

    async def settle(self) -> None:
        """Return when all that was said of messages has reached the server."""
        await self._link.ask(self._link.client.flush(int(_TIMEOUT_S)))

    async def backlog(self) -> int:
        """Return how many messages the stream keeps for the centre, with those that are not acknowledged."""
        info = await self._link.ask(self._subscription.consumer_info())
        return int(info.num_pending or 0) + int(info.num_ack_pending or 0)


@contextlib.asynccontextmanager
async def _outlet(access: NatsAccess, prefix: str, site: str) -> AsyncIterator[NatsOutlet]:
    async with _opened(access, f"cellwright {site}") as link:
        subject = f"{prefix}.files"
        name, made = await _stream(link, subject, prefix)
        yield NatsOutlet(link, subject, name, made)


@contextlib.asynccontextmanager
async def _inlet(access: NatsAccess, prefix: str, ack_wait_s: float) -> AsyncIterator[NatsInlet]:
    async with _opened(access, "cellwright centre") as link:
        name, _ = await _stream(link, f"{prefix}.files", prefix)
        js, api = link.client.jetstream(timeout=_TIMEOUT_S), link.nats.js.api
        config = api.ConsumerConfig(
            durable_name=_DURABLE,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_ack_pending=-1,
            filter_subject=f"{prefix}.>",
        )
        await link.ask(js.add_consumer(name, config))
        subscription = await link.ask(js.pull_subscribe_bind(durable=_DURABLE, stream=name))
        yield NatsInlet(link, subscription, ack_wait_s)


@contextlib.asynccontextmanager
async def _opened(access: NatsAccess, name: str) -> AsyncIterator[_Link]:
    link = _Link(_client(), access, name)
    await link.open()
    try:
        yield link
    finally:
        await link.close()


async def _stream(link: _Link, subject: str, prefix: str) -> tuple[str, str]:
    """Return the name of the stream that takes a subject, made if there is none, and what tells it from a later one."""
    js, errors, api = link.client.jetstream(timeout=_TIMEOUT_S), link.nats.js.errors, link.nats.js.api
    try:
        name = await link.ask(js.find_stream_name_by_subject(subject))
    except UnavailableError as error:
        if not isinstance(error.__cause__, errors.NotFoundError):
            raise
        name = prefix.replace(".", "-").upper()
        config = api.StreamConfig(
            name=name,
            description="Files on their way from the lakes of sites to the lake of a centre",
            subjects=[f"{prefix}.>"],
            retention=api.RetentionPolicy.WORK_QUEUE,
            discard=api.DiscardPolicy.NEW,
            storage=api.StorageType.FILE,
            max_bytes=_STREAM_BYTES,
            duplicate_window=_DUPLICATES_S,
        )
        await link.ask(js.add_stream(config))
    info = await link.ask(js.stream_info(name))
    return name, f"{name} {info.created}"


def _client() -> Any:  # noqa: ANN401 - an optional package
    return load_extra("nats", "NATS needs", "nats", "js.api", "js.errors")


class _Context(ssl.SSLContext):
    """Checks the server's certificate and name, and knows whether it was ever used."""

    is_used = False

    def wrap_bio(self, *arguments: Any, **more: Any) -> ssl.SSLObject:  # noqa: ANN401 - as the method it stands for
        """Return the encrypted side of a connection."""
        self.is_used = True
        return super().wrap_bio(*arguments, **more)


def _tls(proofs: Proofs) -> _Context:
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if proofs.authority:
            context.load_verify_locations(proofs.authority)
        else:
            context.load_default_certs()
        if proofs.certificate:
            context.load_cert_chain(proofs.certificate, proofs.key)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError.of(
            "wrong-certificate",
            "the certificates of the link cannot be used",
            cause=error.strerror or type(error).__name__,
            expected="PEM files: --tls-ca, --tls-certificate with --tls-key",
        ) from error
    return context


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
