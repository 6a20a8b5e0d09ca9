"""Who asks: keys, known by their hash alone."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.gateway.model import AccessKey

_SCHEME: Final = b"bearer "
_NO_KEY: Final = "a key is needed: send it as 'Authorization: Bearer ...' or 'x-api-key: ...'"
_UNKNOWN_KEY: Final = "the key is not known here"


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key as configurations hold it."""
    return hashlib.sha256(key.encode()).hexdigest()


def caller(headers: Mapping[bytes, bytes], keys: Iterable[AccessKey]) -> AccessKey:
    """Return whose key the headers of a request carry; raise ApiError (401).

    Every key is compared, each in constant time: how long it takes tells nothing about which one was close.
    """
    given = _credential(headers)
    if given is None:
        raise _unauthorised(_NO_KEY)
    presented = hashlib.sha256(given).hexdigest()
    found = [key for key in keys if hmac.compare_digest(key.sha256, presented)]
    if not found:
        raise _unauthorised(_UNKNOWN_KEY)
    return found[0]


def _credential(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return the key in an Authorization header or, as clients of the Messages API send it, in x-api-key."""
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_SCHEME)].lower() == _SCHEME:
        return authorization[len(_SCHEME) :].strip()
    return headers.get(b"x-api-key")


def _unauthorised(message: str) -> ApiError:
    return ApiError(Diagnostic("invalid_api_key", message), status=401, kind="invalid_request_error")
