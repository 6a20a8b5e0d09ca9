"""Who asks: keys, known by their hash alone, and tokens of issuers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic
from cellwright.gateway.identity import is_token
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cellwright.gateway.identity import Tokens
    from cellwright.gateway.model import AccessKey

_SCHEME: Final = b"bearer "
_NO_KEY: Final = "a key is needed: send it as 'Authorization: Bearer ...' or 'x-api-key: ...'"
_UNKNOWN_KEY: Final = "the key is not known here"
_PREFIX: Final = "cw-"  # so that scanners for leaked secrets can tell what they found
_ENTROPY_BYTES: Final = 32


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key as configurations hold it."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """Return a new key of 256 random bits; so many need no slow hash to be safe from guessing."""
    return _PREFIX + secrets.token_urlsafe(_ENTROPY_BYTES)


class Callers:
    """Tells who asks, in a time that depends neither on how many keys there are nor on which one is close."""

    def __init__(
        self, keys: Iterable[AccessKey], tokens: Tokens | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        keys = tuple(keys)
        self._keys = {key.sha256: key for key in keys if key.sha256 is not None}
        self._certified = {key.certificate: key for key in keys if key.certificate is not None}
        self._tokens = tokens
        self._clock = clock

    async def identify(self, headers: Mapping[bytes, bytes], names: Iterable[str] = ()) -> AccessKey:
        """Return whose key or token the headers of a request carry, else whose certificate has one of `names`.

        Raises ApiError (401).
        """
        given = credential(headers)
        if given is not None:
            if self._tokens is not None and is_token(given):
                return await self._tokens.identify(given)
            return self._holder(given)
        found = next((self._certified[name] for name in names if name in self._certified), None)
        if found is None or found.has_expired(self._clock()):
            raise unauthorised(_NO_KEY)
        return found

    def _holder(self, given: bytes) -> AccessKey:
        """Return whose key this is.

        Looked up is a hash of what was sent, so that nobody can steer towards a near miss. An expired key is answered
        as one that never was.
        """
        presented = hashlib.sha256(given).hexdigest()
        key = self._keys.get(presented)
        if key is None or not hmac.compare_digest(key.sha256 or "", presented):
            raise unauthorised(_UNKNOWN_KEY)
        if key.has_expired(self._clock()):
            raise unauthorised(_UNKNOWN_KEY)
        return key


def credential(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return the key in an Authorization header or, as clients of the Messages API send it, in x-api-key."""
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_SCHEME)].lower() == _SCHEME:
        return authorization[len(_SCHEME) :].strip()
    return headers.get(b"x-api-key")


def unauthorised(message: str) -> ApiError:
    """Return the refusal of somebody who is not known (RFC 6750 clause 3)."""
    headers = {"www-authenticate": "Bearer"}
    return ApiError(Diagnostic("invalid_api_key", message), status=401, kind="invalid_request_error", headers=headers)
