"""Bearer keys, known by their hash alone."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.gateway.model import AccessKey

_SCHEME: Final = b"bearer "
_NO_KEY: Final = "a key is needed: send it as 'Authorization: Bearer ...'"
_UNKNOWN_KEY: Final = "the key is not known here"


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key as configurations hold it."""
    return hashlib.sha256(key.encode()).hexdigest()


def holder(authorization: bytes | None, keys: Iterable[AccessKey]) -> AccessKey:
    """Return whose key an Authorization header carries; raise ApiError (401).

    Every key is compared, each in constant time: how long it takes tells nothing about which one was close.
    """
    given = authorization or b""
    if given[: len(_SCHEME)].lower() != _SCHEME:
        raise _unauthorised(_NO_KEY)
    presented = hashlib.sha256(given[len(_SCHEME) :].strip()).hexdigest()
    found = [key for key in keys if hmac.compare_digest(key.sha256, presented)]
    if not found:
        raise _unauthorised(_UNKNOWN_KEY)
    return found[0]


def _unauthorised(message: str) -> ApiError:
    return ApiError(Diagnostic("invalid_api_key", message), status=401, kind="invalid_request_error")
