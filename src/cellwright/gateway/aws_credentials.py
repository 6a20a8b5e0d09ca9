"""Credentials of Amazon Web Services from where a document says they stand, read anew before they expire.

Sources: AWS SDKs and Tools reference guide, "Shared config and credentials files", "Container credential provider" and
"IMDS credential provider" (Instance Metadata Service, version 2 alone).
"""

from __future__ import annotations

import asyncio
import configparser
import logging
import time
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote, urlsplit

import orjson

from cellwright.errors import UsageError
from cellwright.gateway.model import AwsSource
from cellwright.gateway.sigv4 import Credentials
from cellwright.gateway.upstream import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellwright.gateway.backend import Supplies
    from cellwright.gateway.egress import Egress
    from cellwright.gateway.model import AwsAccess, BackendSpec

    Environ = Mapping[str, str]

_log: Final = logging.getLogger("cellwright.gateway")
_EARLY_S: Final = 300.0  # before they expire, credentials are fetched anew
_AGAIN_S: Final = 10.0  # between two attempts to, while those that are there still hold
_RENEW_S: Final = 30.0  # between two attempts to, where what there is is refused
_FETCH_S: Final = 5.0
_LIMIT: Final = 64 * 1024  # bytes of an answer
_USUAL_FILE: Final = "~/.aws/credentials"
_RELATIVE, _FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TOKEN, _TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
_CONTAINER: Final = "http://169.254.170.2"
_CONTAINERS: Final = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
_INSTANCE: Final = "http://169.254.169.254"
_ROLES: Final = "/latest/meta-data/iam/security-credentials/"


class NoCredentialsError(Exception):
    """There are none, or none that still hold; the text says where they were looked for."""


class Access(Protocol):
    """Where credentials are had from."""

    async def current(self) -> Credentials:
        """Return credentials that hold; raise NoCredentialsError."""
        ...

    async def renew(self, refused: Credentials) -> bool:
        """Look for others than those that were refused, unless they are there; return whether there are any."""
        ...


def open_access(spec: BackendSpec, access: AwsAccess, supplies: Supplies) -> Access:
    """Return the access of a backend; raise UsageError where what the document names is not there."""
    match access.source:
        case AwsSource.ENVIRONMENT:
            return _Read(_environment(spec, access, supplies.secrets))
        case AwsSource.FILE:
            return _Read(_shared_file(spec, access, supplies.secrets))
        case AwsSource.CONTAINER:
            return Fetched(_Container(spec, supplies))
        case AwsSource.INSTANCE:
            return Fetched(_Instance(supplies))


class _Read:
    """Credentials that are at hand, read at each request."""

    def __init__(self, read: Callable[[], Credentials]) -> None:
        self._read = read
        self._last = read()

    async def current(self) -> Credentials:
        """Return what is there now, or was before where nothing is."""
        with suppress(UsageError):
            self._last = self._read()
        return self._last

    async def renew(self, refused: Credentials) -> bool:
        """Return whether others are there now."""
        return await self.current() != refused


def _environment(spec: BackendSpec, access: AwsAccess, environ: Environ) -> Callable[[], Credentials]:
    """Return what reads the variables that an access names."""

    def read() -> Credentials:
        found = [environ.get(name) for name in (access.access_key_env, access.secret_key_env)]
        if not all(found):
            raise UsageError.of(
                "key-not-set",
                f"the environment variables {access.access_key_env} and {access.secret_key_env} are not both set",
                expected=f"the credentials of {spec.name}, or apiKeyEnv with an API key of the service",
                hint="aws.credentials says where else they may stand: file, container or instance",
            )
        return Credentials(str(found[0]), str(found[1]), environ.get(access.session_token_env))

    return read


def _shared_file(spec: BackendSpec, access: AwsAccess, environ: Environ) -> Callable[[], Credentials]:
    """Return what reads a profile of the shared file wherever that has changed; a change that does not read is none."""
    path = Path(access.file or environ.get("AWS_SHARED_CREDENTIALS_FILE") or _USUAL_FILE).expanduser()
    profile = access.profile or environ.get("AWS_PROFILE") or "default"
    seen: list[tuple[object, Credentials]] = []

    def read() -> Credentials:
        stamp = _stamp(path)
        if seen and seen[0][0] == stamp:
            return seen[0][1]
        try:
            found = _profile(path, profile)
        except (OSError, ValueError, KeyError, configparser.Error) as error:
            if not seen:
                raise UsageError.of(
                    "credentials-unreadable",
                    f"the credentials of backend {spec.name} cannot be read from {path}",
                    expected=f"a section [{profile}] with aws_access_key_id and aws_secret_access_key",
                    cause=getattr(error, "strerror", None) or type(error).__name__,
                ) from None
            _log.warning("the credentials of backend %s cannot be read anew: %s", spec.name, type(error).__name__)
            found = seen[0][1]
        seen[:] = [(stamp, found)]
        return found

    return read


def _stamp(path: Path) -> object:
    """Return what is another where a file, or who may read it, has changed; None where there is none."""
    with suppress(OSError):
        about = path.stat()
        return about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino
    return None


def _profile(path: Path, profile: str) -> Credentials:
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="utf-8"))
    section = parser[profile]
    return Credentials(section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token"))


class _Place(Protocol):
    """An endpoint that gives credentials which expire."""

    name: str

    async def fetch(self) -> Any:  # noqa: ANN401 - JSON
        """Return what it says; raise NetworkError, ValueError, OSError."""
        ...


class Fetched:
    """Credentials of an endpoint, fetched anew some time before they expire."""

    def __init__(self, place: _Place, clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._clock = clock
        self._held: tuple[Credentials, float] | None = None  # and when they expire, since 1970
        self._tried_s = 0.0
        self._renewed_s = 0.0  # after those before were refused
        self._tries = 0  # that have ended, well or not
        self._fetching = asyncio.Lock()

    async def current(self) -> Credentials:
        """Return credentials that hold."""
        if self._is_due() and not (self._holds() and self._fetching.locked()):
            await self._fetch()
        if self._held is None or not self._holds():
            raise NoCredentialsError(self._place.name)
        return self._held[0]

    async def renew(self, refused: Credentials) -> bool:
        """Fetch others, together with whoever else was refused; not again for a while where that does not help."""
        if self._holds(refused) and (self._fetching.locked() or not self._lately(self._renewed_s, _RENEW_S)):
            await self._fetch()
            self._renewed_s = self._clock()
        return self._holds() and not self._holds(refused)

    def _holds(self, those: Credentials | None = None) -> bool:
        """Return whether any credentials, or those, are there and have not expired."""
        return self._held is not None and self._clock() < self._held[1] and those in {None, self._held[0]}

    def _lately(self, when_s: float, span_s: float) -> bool:
        return 0 <= self._clock() - when_s < span_s

    def _is_due(self) -> bool:
        if self._held is None or not self._holds():
            return True
        return self._held[1] - self._clock() <= _EARLY_S and not self._lately(self._tried_s, _AGAIN_S)

    async def _fetch(self) -> None:
        """Fetch credentials, or wait for what comes of it where that goes on; those that are there stay if it fails."""
        tries = self._tries
        async with self._fetching:
            if self._tries != tries:
                return
            self._tried_s = self._clock()
            try:
                async with asyncio.timeout(_FETCH_S):
                    self._held = _read_answer(await self._place.fetch())
            except (NetworkError, OSError, ValueError, KeyError, TypeError) as error:  # OSError: a timeout is one
                _log.warning("credentials cannot be had from %s: %s", self._place.name, type(error).__name__)
            self._tries += 1


class _Container:
    """What runs a container, such as ECS or EKS Pod Identity, and tells it where to ask."""

    name = "what runs this container"

    def __init__(self, spec: BackendSpec, supplies: Supplies) -> None:
        self._egress, self._environ = supplies.egress, supplies.secrets
        relative, full = self._environ.get(_RELATIVE), self._environ.get(_FULL)
        self._url = f"{_CONTAINER}{relative}" if relative else full or ""
        if not _may_be_asked(self._url):
            raise UsageError.of(
                "no-container-credentials",
                f"neither {_RELATIVE} nor {_FULL} says where backend {spec.name} gets its credentials",
                expected="the address that the container's platform sets; over http a local one",
            )

    async def fetch(self) -> Any:  # noqa: ANN401 - JSON
        """Return what the platform says."""
        token = self._environ.get(_TOKEN)
        if file := self._environ.get(_TOKEN_FILE):
            token = await asyncio.to_thread(Path(file).read_text, "utf-8")
        headers = {"authorization": token.strip()} if token else {}
        return orjson.loads(await _asked(self._egress, "GET", self._url, headers))


class _Instance:
    """The metadata of a virtual machine."""

    name = "the metadata of this instance"

    def __init__(self, supplies: Supplies) -> None:
        self._egress = supplies.egress
        self._url = (supplies.secrets.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _INSTANCE).rstrip("/")

    async def fetch(self) -> Any:  # noqa: ANN401 - JSON
        """Return the credentials of the instance's role."""
        lasting = {"x-aws-ec2-metadata-token-ttl-seconds": "60"}
        token = await _asked(self._egress, "PUT", f"{self._url}/latest/api/token", lasting)
        headers = {"x-aws-ec2-metadata-token": token.decode("ascii").strip()}
        roles = await _asked(self._egress, "GET", f"{self._url}{_ROLES}", headers)
        role = quote(roles.decode("ascii").split("\n")[0].strip(), safe="")
        return orjson.loads(await _asked(self._egress, "GET", f"{self._url}{_ROLES}{role}", headers))


async def _asked(egress: Egress, method: str, url: str, headers: Mapping[str, str]) -> bytes:
    with await egress.fetch(method, url, headers) as response:
        if response.status != HTTPStatus.OK:
            msg = f"status {response.status}"
            raise ValueError(msg)
        return await response.read(_LIMIT)


def _read_answer(told: Any) -> tuple[Credentials, float]:  # noqa: ANN401 - JSON
    """Return credentials and when they expire; raise KeyError, TypeError or ValueError for anything else."""
    key, secret, token = (told[name] for name in ("AccessKeyId", "SecretAccessKey", "Token"))
    if not all(isinstance(each, str) and each.isascii() and each.isprintable() for each in (key, secret, token)):
        msg = "no credentials"
        raise ValueError(msg)
    return Credentials(key, secret, token), datetime.fromisoformat(told["Expiration"]).timestamp()


def _may_be_asked(url: str) -> bool:
    """Return whether an address may be sent a token: one that is verified, or that is of this machine."""
    with suppress(ValueError):
        parts = urlsplit(url)
        host = parts.hostname or ""
        return bool(host) and (
            parts.scheme == "https"
            or (parts.scheme == "http" and (host in _CONTAINERS or host == "localhost" or ip_address(host).is_loopback))
        )
    return False
