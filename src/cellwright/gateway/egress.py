"""The only door through which a request leaves for a backend; what is not on the premises passes the guard first."""

from __future__ import annotations

import base64
import contextlib
import logging
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

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
_DATA_URL: Final = "data:"
_DOCUMENTS: Final = frozenset(  # keys that hold base64 in the APIs of models, the last two at some servers
    {"data", "file_data", "bytes", "url", "image_url"}
)
_ADDRESS: Final = "://"  # of what is fetched instead, within the first characters
_SCHEME: Final = 16
_ARGUMENTS: Final = " input "  # in the way to arguments of a call, of which models see the text alone
_NO_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")
_NO_BASE64_URL: Final = re.compile(r"[^A-Za-z0-9+/=_\-\r\n]")
_BOMS: Final = (BOM_UTF16_LE, BOM_UTF16_BE)
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_PDF: Final = b"%PDF-"
_LOOKED_AT: Final = 1024  # bytes within which readers of PDF look for that, and signs of a document that are shown
_QUANTUM: Final = 4  # signs of base64 that three bytes make
_UNREADABLE: Final = (
    "the request holds a document that the egress guard cannot read, such as a picture, a PDF or sound, and so stays "
    "on the premises; ask for a model there, or have takesUnread set for a backend that may be sent such"
)


class UnreadableError(ApiError):
    """The guard cannot read all that a body holds; a backend on the premises may be sent it."""


class Egress:
    """The door to one backend; `guard` None: the backend stands on the premises.

    Documents that the guard cannot read go through where the backend `takes_unread`.
    """

    def __init__(
        self, pool: Pool, guard: Guard | None, tls: ssl.SSLContext | None = None, *, takes_unread: bool = False
    ) -> None:
        self._pool = pool
        self._guard = guard
        self._tls = tls
        self._takes_unread = takes_unread

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

    async def fetch(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        """Return the response to a request that carries nothing of anybody's, such as for credentials.

        Raises NetworkError.
        """
        return await self._pool.request(method, url, headers=headers, repeatable=True)

    def check(self, body: JsonObject) -> None:
        """Return when the body may go to the backend; raise ApiError (403) when the guard denies it or fails.

        Where it holds what the guard cannot read, and the backend does not take such, that is UnreadableError.
        """
        if self._guard is not None:
            let_pass(self._guard, body, takes_unread=self._takes_unread)


class Leaves(list[str]):
    """The texts in a JSON value; `unread`: besides them it holds a document that is no text, such as a picture."""

    unread = False


def let_pass(guard: Guard, value: Any, *, takes_unread: bool = True) -> None:  # noqa: ANN401 - JSON
    """Return when a JSON value may leave; raise ApiError (403) when the guard denies it or fails."""
    try:
        found = leaves(value)
        if takes_unread or not found.unread:
            guard("\n".join(found))
            return
    except DeniedError as error:
        raise _denied("egress_denied", error.diagnostics[0].message) from None
    except Exception as error:  # noqa: BLE001 - a plugin boundary that fails closed; the message may quote the value
        _log.error("the egress guard failed with %s: nothing was sent", type(error).__name__)
        raise _denied("egress_guard_failed", "nothing was sent: the egress guard failed") from None
    raise UnreadableError(Diagnostic("egress_unreadable", _UNREADABLE), status=403, kind="permission_error")


def leaves(body: JsonObject) -> Leaves:
    """Return every value in a JSON value after the keys that lead to it: `messages content: text`.

    Texts stand as they read, not as JSON escapes them: an escape can join a number to the letter of a line feed. A
    document in base64 or in a data URL is followed by the text that it holds, where it holds any.
    """
    found = Leaves()
    _gather("", "", body, found)
    return found


def _gather(path: str, key: str, value: Any, found: Leaves) -> None:  # noqa: ANN401 - JSON
    """Add the values below one that `path` leads to, `key` last; orjson bounds how deep they lie."""
    if isinstance(value, str):
        found.append(f"{path}: {value}")
        if (key in _DOCUMENTS and _ADDRESS not in value[:_SCHEME]) or value[:5].lower() == _DATA_URL:
            raw = _held(value)
            text = _text(raw)
            if (text is None or _hides(raw)) and _ARGUMENTS not in path:
                found.unread = True
                if _NO_BASE64_URL.search(value, _LOOKED_AT) is None:  # no guard finds anything in megabytes of signs
                    found[-1] = f"{path}: {value[:_LOOKED_AT]}"
            if text is not None:
                found.append(f"{path}: {text}")
    elif isinstance(value, dict) and value:
        for name, item in value.items():
            _gather(f"{path} {name}" if path else name, name, item, found)
    elif isinstance(value, list) and value:
        for item in value:
            _gather(path, key, item, found)
    else:
        found.append(f"{path}: {value}")


def _held(value: str) -> bytes:
    """Return the document in a data URL (RFC 2397) or in base64."""
    data = value
    if value[:5].lower() == _DATA_URL:
        head, _, data = value.partition(",")
        raw = unquote_to_bytes(data)
        if "base64" not in head.lower():
            return raw
        data = raw.decode("latin-1")
    signs = _NO_BASE64.sub("", data.replace("-", "+").replace("_", "/"))  # as the most lenient reader would
    if len(signs) % _QUANTUM == 1:
        signs = signs[:-1]
    return base64.b64decode(signs + "=" * (-len(signs) % _QUANTUM))


def _text(raw: bytes) -> str | None:
    """Return bytes as text, whatever type they are said to have; None for what is binary, such as a picture."""
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode("utf-16" if raw.startswith(_BOMS) else "utf-8-sig")
    return None if _BINARY.search(raw) else raw.decode("latin-1")


def _hides(raw: bytes) -> bool:
    """Return whether what reads as text holds more than it says: a PDF, or two bytes a character without a mark."""
    return _PDF in raw[:_LOOKED_AT] or (b"\0" in raw and not raw.startswith(_BOMS))


def _denied(code: str, message: str) -> ApiError:
    return ApiError(Diagnostic(code, message), status=403, kind="permission_error")
