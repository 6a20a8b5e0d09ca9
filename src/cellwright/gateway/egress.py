"""The only door through which a request leaves for a backend; what is not on the premises passes the guard first."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.errors import DeniedError, Diagnostic
from cellwright.gateway.wire import ApiError, invalid

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from cellwright.gateway.http.client import Pool
    from cellwright.gateway.upstream import Response, Sign
    from cellwright.gateway.wire import JsonObject

    Guard = Callable[[str], None]  # returns when the text may leave, raises DeniedError when not

_log: Final = logging.getLogger("cellwright.gateway")


class Egress:
    """The door to one backend; `guard` None: the backend stands on the premises."""

    def __init__(self, pool: Pool, guard: Guard | None, tls: ssl.SSLContext | None = None) -> None:
        self._pool = pool
        self._guard = guard
        self._tls = tls

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: JsonObject,
        sign: Sign | None = None,
        *,
        repeatable: bool = False,
    ) -> Response:
        """Return the response to `body` as JSON once its headers are there; the caller leaves it as a context.

        `sign` returns further headers, for the bytes that are sent; `repeatable` says that it does no harm when these
        arrive twice. Raises ApiError (403) when the guard denies the body, NetworkError when the network fails.

        Redirects are not followed: they could lead the body out of the boundary that was checked.
        """
        self.check(body)
        try:
            data = orjson.dumps(body)
        except TypeError:  # the one thing that was read and cannot be written
            raise invalid("invalid_json", "the body is nested too deeply to be passed on") from None
        sent = {"content-type": "application/json", **headers, **(sign(data) if sign else {})}
        return await self._pool.request("POST", url, headers=sent, body=data, tls=self._tls, repeatable=repeatable)

    def check(self, body: JsonObject) -> None:
        """Return when the body may go to the backend; raise ApiError (403) when the guard denies it or fails."""
        if self._guard is not None:
            let_pass(self._guard, body)


def let_pass(guard: Guard, value: Any) -> None:  # noqa: ANN401 - JSON
    """Return when a JSON value may leave; raise ApiError (403) when the guard denies it or fails."""
    try:
        guard("\n".join(leaves(value)))
    except DeniedError as error:
        raise _denied("egress_denied", error.diagnostics[0].message) from None
    except Exception as error:  # noqa: BLE001 - a plugin boundary that fails closed; the message may quote the value
        _log.error("the egress guard failed with %s: nothing was sent", type(error).__name__)
        raise _denied("egress_guard_failed", "nothing was sent: the egress guard failed") from None


def leaves(body: JsonObject) -> list[str]:
    """Return every value in a JSON value after the keys that lead to it: `messages content: text`.

    Texts stand as they read, not as JSON escapes them: an escape can join a number to the letter of a line feed.
    """
    found: list[str] = []
    _gather("", body, found)
    return found


def _gather(path: str, value: Any, found: list[str]) -> None:  # noqa: ANN401 - JSON
    """Add the values below one that `path` leads to; orjson bounds how deep they lie."""
    if isinstance(value, str):
        found.append(f"{path}: {value}")
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            _gather(f"{path} {key}" if path else key, item, found)
    elif isinstance(value, list) and value:
        for item in value:
            _gather(path, item, found)
    else:
        found.append(f"{path}: {value}")


def _denied(code: str, message: str) -> ApiError:
    return ApiError(Diagnostic(code, message), status=403, kind="permission_error")
