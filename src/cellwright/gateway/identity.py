"""Callers who carry a signed token instead of a key: JSON Web Tokens of issuers that the configuration names.

Formats: RFC 7519 (JWT), 7515 (JWS), 7517 (JWK); what to check: RFC 8725 and OpenID Connect Core, clause 3.1.3.7. Why a
token is refused is not told to whoever sent it, and nothing of a token is logged.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.errors import Diagnostic, UsageError
from cellwright.estate.documents.parts import NAME_PATTERN
from cellwright.gateway.model import AccessKey
from cellwright.gateway.upstream import NetworkError
from cellwright.gateway.wire import ApiError
from cellwright.plugins import load_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cellwright.gateway.http.client import Pool
    from cellwright.gateway.model_identity import Issuer

_log: Final = logging.getLogger("cellwright.gateway")
_NEED: Final = "tokens of an identity provider need"
_FETCH_S: Final = 5.0
_FRESH_S: Final = 600.0  # keys are fetched anew after that, and as soon as a token names one that is not known
_AGAIN_S: Final = 30.0  # but not more often than that
_JWKS_LIMIT: Final = 512 * 1024
_MOST_KNOWN: Final = 10_000  # tokens that were verified, by their hash
_TENANT: Final = re.compile(NAME_PATTERN)
_PUBLIC: Final = frozenset({"RSA", "EC", "OKP"})  # a shared secret would let whoever verifies also sign
_PARTS: Final = 3
_OK: Final = 200


def is_token(given: bytes) -> bool:
    """Return whether a credential is a signed token rather than a key."""
    return given.startswith(b"eyJ") and given.count(b".") == _PARTS - 1


class Tokens:
    """Verifies tokens; what was verified once is known until it expires or the keys of its issuer change."""

    def __init__(self, issuers: Iterable[Issuer], pool: Pool, clock: Callable[[], float] = time.time) -> None:
        self._sources = {issuer.issuer: _KeySource(issuer, pool, clock) for issuer in issuers}
        self._clock = clock
        self._jose = load_extra("oidc", _NEED, "joserfc", "jwt", "jwk", "errors")
        self._known: dict[bytes, tuple[AccessKey, float, _KeySource, int]] = {}  # with expiry and version of the keys

    async def identify(self, token: bytes) -> AccessKey:
        """Return whom a token is of; raise ApiError (401, or 503 where the keys of its issuer cannot be had)."""
        digest = hashlib.sha256(token).digest()
        if (known := self._known.get(digest)) is not None:
            caller, ends_s, source, version = known
            if self._clock() < ends_s and version == source.version and source.is_fresh:
                return caller
        source = self._source(token)
        keys = await source.keys()
        try:
            caller, ends_s = self._verified(token, source.issuer, keys)
        except (self._jose.errors.InvalidKeyIdError, self._jose.errors.BadSignatureError):
            keys = await source.keys(anew=True)  # perhaps it was signed with a key that is new
            caller, ends_s = self._told(token, source.issuer, keys)
        except (self._jose.errors.JoseError, ValueError) as error:
            raise _refused(error) from None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[digest] = (caller, ends_s, source, source.version)
        return caller

    def _told(self, token: bytes, issuer: Issuer, keys: object) -> tuple[AccessKey, float]:
        try:
            return self._verified(token, issuer, keys)
        except (self._jose.errors.JoseError, ValueError) as error:
            raise _refused(error) from None

    def _source(self, token: bytes) -> _KeySource:
        """Return the source of the keys of whom a token says that it is from: nothing is believed of it yet."""
        try:
            payload = token.split(b".")[1]
            claims = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        except (binascii.Error, ValueError) as error:
            raise _refused(error) from None
        source = self._sources.get(str(claims.get("iss"))) if isinstance(claims, dict) else None
        if source is None:
            raise _refused(ValueError())
        return source

    def _verified(self, token: bytes, issuer: Issuer, keys: object) -> tuple[AccessKey, float]:
        """Return whom a token is of and when it expires; raise JoseError or ValueError."""
        jwt, now_s = self._jose.jwt, self._clock()
        claims = jwt.decode(token, keys, algorithms=list(issuer.algorithms)).claims
        jwt.JWTClaimsRegistry(
            now=int(now_s),
            leeway=int(issuer.leeway_s),
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
        ).validate(claims)
        return _caller(claims, issuer), float(claims["exp"]) + issuer.leeway_s


class _KeySource:
    """The keys of one issuer, from a file or fetched and kept for a while."""

    def __init__(self, issuer: Issuer, pool: Pool, clock: Callable[[], float]) -> None:
        self.issuer = issuer
        self.version = 0  # counts the changes of the keys
        self._pool = pool
        self._clock = clock
        self._jose = load_extra("oidc", _NEED, "joserfc", "jwk", "errors")
        self._raw = b""
        self._keys: object = None
        self._read_s = -_FRESH_S
        self._lock = asyncio.Lock()
        if issuer.jwks_file is not None:
            self._read_file(Path(issuer.jwks_file))

    @property
    def is_fresh(self) -> bool:
        """Whether the keys may be used without looking whether they have changed."""
        return self.issuer.jwks_file is not None or self._clock() - self._read_s < _FRESH_S

    async def keys(self, *, anew: bool = False) -> object:
        """Return the keys; raise ApiError (503) where they were never there."""
        if self.issuer.jwks_url is not None and self._is_due(anew=anew):
            async with self._lock:
                if self._is_due(anew=anew):
                    self._read_s = self._clock()
                    await self._fetch(self.issuer.jwks_url)
        if self._keys is None:
            message = "tokens cannot be verified now"
            problem = Diagnostic("identity_unavailable", message)
            raise ApiError(problem, status=503, kind="server_error", headers={"retry-after": f"{_AGAIN_S:.0f}"})
        return self._keys

    def _is_due(self, *, anew: bool) -> bool:
        age_s = self._clock() - self._read_s
        return age_s >= (_AGAIN_S if anew or self._keys is None else _FRESH_S)

    async def _fetch(self, url: str) -> None:
        """Fetch the keys; where that fails those that are there stay."""
        try:
            async with asyncio.timeout(_FETCH_S):
                with await self._pool.request("GET", url, headers={"accept": "application/json"}) as response:
                    raw = await response.read(_JWKS_LIMIT)
                    if response.status != _OK:
                        msg = f"status {response.status}"
                        raise ValueError(msg)  # noqa: TRY301 - one place tells of all that fails
            self._take(raw)
        except (NetworkError, TimeoutError, ValueError) as error:
            _log.warning("the keys of issuer %s cannot be had: %s", self.issuer.name, type(error).__name__)

    def _read_file(self, path: Path) -> None:
        try:
            self._take(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError.of(
                "keys-unreadable",
                f"the keys of issuer {self.issuer.name} cannot be read from {path}",
                expected="a JSON Web Key Set (RFC 7517 clause 5)",
                cause=getattr(error, "strerror", None) or type(error).__name__,
            ) from error

    def _take(self, raw: bytes) -> None:
        """Keep keys; raise ValueError for anything else."""
        if raw == self._raw:
            return
        found = orjson.loads(raw)
        listed = found.get("keys") if isinstance(found, dict) else None
        public = [found for key in listed or () if (found := self._imported(key)) is not None]
        if not public:
            msg = "no set of public keys"
            raise ValueError(msg)
        self._keys = self._jose.jwk.KeySet(public)
        self._raw = raw
        self.version += 1

    def _imported(self, key: object) -> object:
        """Return a public key, None for one of a kind that is not known here."""
        if not isinstance(key, dict) or key.get("kty") not in _PUBLIC:
            return None
        try:
            return self._jose.jwk.JWKRegistry.import_key(key)
        except (self._jose.errors.JoseError, ValueError):
            return None


def _caller(claims: dict[str, Any], issuer: Issuer) -> AccessKey:
    """Return whom claims are of; raise ValueError where they name no tenant."""
    named = _values(claims, issuer.tenant_claim)
    if issuer.tenants is None:
        tenants = [value for value in named if _TENANT.fullmatch(value)] if len(named) == 1 else []
    else:
        tenants = [tenant for value, tenant in issuer.tenants.items() if value in named]
    if not tenants:
        msg = "no tenant"
        raise ValueError(msg)
    watches = issuer.metrics_claim and issuer.metrics_values.intersection(_values(claims, issuer.metrics_claim))
    roles = frozenset({"metrics"} if watches else ())
    return AccessKey(issuer.name, tenants[0], None, issuer.boundary, None, roles)


def _values(claims: dict[str, Any], path: str) -> list[str]:
    """Return the texts at a path into the claims, whose own names may hold dots."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    return [value for value in (found if isinstance(found, list) else [found]) if isinstance(value, str)]


def _refused(error: Exception) -> ApiError:
    _log.info("a token was refused: %s", type(error).__name__)
    headers = {"www-authenticate": 'Bearer error="invalid_token"'}
    problem = Diagnostic("invalid_api_key", "the token is not valid here")
    return ApiError(problem, status=401, kind="invalid_request_error", headers=headers)
