"""A model server behind the egress door: asked again where that may help, and every way it fails told alike.

What a status means is common to the protocols that models are asked with: RFC 9110 clause 15, and the references of the
OpenAI, Anthropic and Bedrock APIs, which keep to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError, NotAskedError
from cellwright.gateway.egress import UnreadableError
from cellwright.gateway.forms.conversation import UnfitError
from cellwright.gateway.upstream import ConnectFailedError, NetworkError, TimedOutError, UntrustedError
from cellwright.gateway.waits import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from cellwright.gateway.egress import Egress
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.upstream import Response, Sign
    from cellwright.gateway.wire import JsonObject

_OK: Final = 200
_ANSWER_LIMIT: Final = 32 * 1024 * 1024  # bytes of a whole completion
_ERROR_LIMIT: Final = 64 * 1024  # bytes of an error that are read
_SAID_LIMIT: Final = 500  # characters of an upstream message that are passed on
_BACKOFF_S: Final = 0.2  # before the second attempt, doubled before each further one
_PATIENCE_S: Final = 2.0  # the longest Retry-After that is waited for here
_UNAVAILABLE: Final = frozenset({502, 503, 504, 529})  # 529: Anthropic is overloaded
_REFUSED_KEY: Final = frozenset({401, 403})
_CLIENT_MISTAKES: Final = frozenset({400, 413, 415, 422})  # what another backend would refuse too
REFUSED_KEY: Final = "upstream_refused_key"
REFUSED: Final = "upstream_refused_request"
_PASSING: Final = frozenset(  # what is worth another attempt at the same address
    {"upstream_unreachable", "upstream_broke_off", "upstream_unavailable", "upstream_rate_limited"}
)


class Absent(NamedTuple):
    """What it means that a server has not what it was asked for (404)."""

    what: str  # the server is
    code: str
    words: str  # that continue "backend x"
    status: int = 502


class Remote:
    """The server of one backend, or the gateway of a site."""

    def __init__(
        self, spec: BackendSpec, egress: Egress, backoff_s: float = _BACKOFF_S, absent: Absent | None = None
    ) -> None:
        self._spec = spec
        self._egress = egress
        self._backoff_s = backoff_s
        self._absent = absent or Absent(
            "backend", "upstream_unknown_model", f"knows no model {spec.model} at its address"
        )
        self._failures = _Failures(self)

    async def post(self, url: str, headers: Mapping[str, str], body: JsonObject, sign: Sign | None = None) -> Response:
        """Return a response of status 200 to `body` as JSON; asks again while nothing has come back.

        Raises BackendError, and ApiError (403) where the guard denies the body.
        """
        wait_s, retries = self._backoff_s, self._spec.retries
        while True:
            try:
                with self._failures:
                    response = await self._egress.post(url, headers, body, sign, repeatable=True)
                    if response.status == _OK:
                        return response
                    with response:
                        raise await self._refusal(response)
            except BackendError as error:
                asked_s = _seconds(error.retry_after)
                if not retries or error.code not in _PASSING or asked_s > _PATIENCE_S:
                    raise
                with upstream():
                    await asyncio.sleep(max(wait_s, asked_s))
            wait_s, retries = wait_s * 2, retries - 1

    async def read(self, response: Response) -> bytes:
        """Return the whole body of an answer; call it within `failures`."""
        return await response.read(_ANSWER_LIMIT)

    def failures(self) -> _Failures:
        """Turn failures of the network and ValueError, which says that an answer does not read, into BackendError."""
        return self._failures

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """Turn UnfitError into BackendError: this server cannot be asked that, another perhaps can."""
        try:
            yield
        except UnfitError as error:
            message = f"backend {self._spec.name} cannot be asked for what the request holds: {error}"
            raise NotAskedError(Diagnostic("unsupported_by_backend", message)) from None

    def error(  # noqa: PLR0913 - all but the first two have defaults
        self,
        code: str,
        words: str,
        *,
        status: int = 502,
        kind: str = "server_error",
        retry_after: str | None = None,
        elsewhere: bool = True,
        spent: bool = False,
    ) -> BackendError:
        """Return an error about this backend; `words` continue "backend x"."""
        diagnostic = Diagnostic(code, f"{self._absent.what} {self._spec.name} {words}")
        return BackendError(
            diagnostic, status=status, kind=kind, retry_after=retry_after, elsewhere=elsewhere, spent=spent
        )

    async def _refusal(self, response: Response) -> BackendError:
        """Return what a status other than 200 means to the client."""
        status = response.status
        if status in _REFUSED_KEY:
            return self.error(REFUSED_KEY, "refused the key that the gateway holds for it")
        after = response.headers.get("retry-after")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            words, kind = "asks for fewer requests", "rate_limit_error"
            return self.error("upstream_rate_limited", words, status=429, kind=kind, retry_after=after)
        if status in _CLIENT_MISTAKES:
            words = f"refused the request: {said(read_object(await response.read(_ERROR_LIMIT)))}"
            kind = "invalid_request_error"
            return self.error(REFUSED, words, status=status, kind=kind, elsewhere=False)
        if status == HTTPStatus.NOT_FOUND:
            absent = self._absent
            kind = "server_error" if absent.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
            return self.error(absent.code, absent.words, status=absent.status, kind=kind)
        code = "upstream_unavailable" if status in _UNAVAILABLE else "upstream_failed"
        spent = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return self.error(code, f"failed with status {status}", retry_after=after, spent=spent)


class _Failures:
    """A context without a state: leaving it raises another error in place of one it knows."""

    __slots__ = ("_remote",)

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told = self._remote.error
        match error:
            case None:
                return
            case UntrustedError():
                raise told("upstream_untrusted", "shows a certificate that does not verify") from error
            case ConnectFailedError():
                raise told("upstream_unreachable", "cannot be reached") from error
            case TimedOutError():
                raise told("upstream_timeout", "took too long to answer", status=504, spent=True) from error
            case NetworkError():
                raise told("upstream_broke_off", "broke off its answer", spent=True) from error
            case UnreadableError():
                raise NotAskedError(*error.diagnostics, status=error.status, kind=error.kind) from None
            case ValueError():
                raise told("upstream_garbled", "sent what cannot be read", spent=True) from error


def read_object(data: bytes) -> JsonObject:
    """Return the JSON object in `data`, an empty one for anything else."""
    with contextlib.suppress(orjson.JSONDecodeError):
        body = orjson.loads(data)
        return body if isinstance(body, dict) else {}
    return {}


def said(body: JsonObject) -> str:
    """Return the message of an error in one of the shapes that servers use, shortened."""
    error: Any = body.get("error", body)
    message = error.get("message") if isinstance(error, dict) else error
    return message[:_SAID_LIMIT] if isinstance(message, str) else "it gave no reason"


def _seconds(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After header (RFC 9110 clause 10.2.3); a date counts as too long to wait."""
    if retry_after is None:
        return 0.0
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else math.inf
