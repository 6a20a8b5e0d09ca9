"""The only door through which a request leaves for a backend; what is not on the premises passes the guard first."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson

from cellwright.errors import DeniedError, Diagnostic
from cellwright.gateway.upstream import BrokenOffError, ConnectFailedError, NetworkError, TimedOutError
from cellwright.gateway.waits import upstream
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from cellwright.gateway.model import Timeouts
    from cellwright.gateway.upstream import Response, Sign
    from cellwright.gateway.wire import JsonObject

    Guard = Callable[[str], None]  # returns when the text may leave, raises DeniedError when not

_log: Final = logging.getLogger("cellwright.gateway")
_MS_PER_S: Final = 1000.0
_DRAIN_S: Final = 1.0


class Sessions:
    """The one pool of connections to all backends, open while the gateway runs."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session."""
        if self._session is None:
            msg = "the gateway has not been started"
            raise RuntimeError(msg)
        return self._session

    async def open(self) -> None:
        """Open the session in the running event loop. It keeps no cookies and reads no proxy from the environment."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None,
                sock_connect=self._timeouts.connect_ms / _MS_PER_S,
                sock_read=self._timeouts.read_ms / _MS_PER_S,
            )
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )

    async def close(self) -> None:
        """Close the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class Egress:
    """The door to one backend; `guard` None: the backend stands on the premises."""

    def __init__(self, sessions: Sessions, guard: Guard | None) -> None:
        self._sessions = sessions
        self._guard = guard

    async def post(self, url: str, headers: Mapping[str, str], body: JsonObject, sign: Sign | None = None) -> Response:
        """Return the response to `body` as JSON once its headers are there; the caller leaves it as a context.

        `sign` returns further headers, for the bytes that are sent. Raises ApiError (403) when the guard denies the
        body, NetworkError when the network fails.

        Redirects are not followed: they could lead the body out of the boundary that was checked.
        """
        self.check(body)
        data = orjson.dumps(body)
        sent = {"content-type": "application/json", **headers, **(sign(data) if sign else {})}
        with _failures(), upstream():
            return _Received(await self._sessions.session.post(url, data=data, headers=sent, allow_redirects=False))

    def check(self, body: JsonObject) -> None:
        """Return when the body may go to the backend; raise ApiError (403) when the guard denies it or fails."""
        if self._guard is None:
            return
        try:
            self._guard("\n".join(leaves(body)))
        except DeniedError as error:
            raise _denied("egress_denied", error.diagnostics[0].message) from None
        except Exception as error:  # noqa: BLE001 - a plugin boundary that fails closed; the message may quote the request
            _log.error("the egress guard failed with %s: nothing was sent", type(error).__name__)
            raise _denied("egress_guard_failed", "nothing was sent: the egress guard failed") from None


class _Received:
    """A response of the client library."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.release()

    async def read(self, limit: int) -> bytes:
        body = bytearray()
        async for piece in self.pieces():
            body += piece
            if len(body) > limit:
                msg = f"an answer is longer than {limit} bytes"
                raise ValueError(msg)
        return bytes(body)

    async def pieces(self) -> AsyncIterator[bytes]:
        waits, content = upstream(), self._response.content.iter_any()
        with _failures():
            while True:
                with waits:
                    piece = await anext(content, None)
                if piece is None:
                    return
                yield piece

    async def drain(self) -> None:
        with contextlib.suppress(NetworkError, TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                async for _ in self.pieces():
                    pass


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Tell what the client library raises in our words."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise ConnectFailedError from error
    except aiohttp.SocketTimeoutError as error:
        raise TimedOutError from error
    except aiohttp.ClientError as error:
        raise BrokenOffError from error


def leaves(body: JsonObject) -> Iterator[str]:
    """Yield every value in a JSON value after the keys that lead to it: `messages content: text`.

    Texts stand as they read, not as JSON escapes them: an escape can join a number to the letter of a line feed.
    """
    pending: list[tuple[str, Any]] = [("", body)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict) and value:
            pending.extend((f"{path} {key}".lstrip(), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            pending.extend((path, item) for item in reversed(value))
        else:
            yield f"{path}: {value}"


def _denied(code: str, message: str) -> ApiError:
    return ApiError(Diagnostic(code, message), status=403, kind="permission_error")
