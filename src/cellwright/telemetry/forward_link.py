"""What a link is, whatever carries it: an address, the files that prove who one is, and two ends to open.

A carrier is a plugin of the group `cellwright.links`; the scheme of an address picks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from cellwright.errors import UnavailableError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from cellwright.telemetry.forward import Outlet
    from cellwright.telemetry.forward_session import Inlet

WAITS: Final = "what is not sent stays in the lake; what is not received stays in the stream"
"""What a user whose link is down wants to know first."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """Files that prove who one is, and who the other is."""

    credentials: Path | None = None  # as the carrier's own clients read them
    authority: Path | None = None  # certificate of who signed the server's
    certificate: Path | None = None  # of this side, with its key
    key: Path | None = None

    @property
    def wants_tls(self) -> bool:
        """Return whether one of them is of use with TLS alone."""
        return self.authority is not None or self.certificate is not None


NO_PROOFS: Final = Proofs()


@dataclass(frozen=True, slots=True)
class Address:
    """SCHEME://HOST:PORT, or with several servers of one cluster SCHEME://HOST:PORT,HOST:PORT; no user, no password."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]

    @property
    def servers(self) -> tuple[str, ...]:
        """Return HOST:PORT of each server."""
        return tuple(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in self.hosts)

    @property
    def is_loopback(self) -> bool:
        """Return whether all of it is on this machine."""
        return all(_is_loopback(host) for host, _ in self.hosts)

    def __str__(self) -> str:
        return f"{self.scheme}://{','.join(self.servers)}"


class Access(Protocol):
    """How to reach a server and prove who one is; no secret shows in its representation."""

    @property
    def address(self) -> Address:
        """Return where the server is."""
        ...

    @property
    def uses_tls(self) -> bool:
        """Return whether the link is encrypted whatever the server asks for."""
        ...

    def outlet(self, prefix: str, site: str) -> AbstractAsyncContextManager[Outlet]:
        """Return a site's end for the block; `site` tells its messages from those of other sites."""
        ...

    def inlet(self, prefix: str) -> AbstractAsyncContextManager[Inlet]:
        """Return the centre's end for the block."""
        ...


class Carrier(Protocol):
    """What keeps messages between sites and a centre."""

    schemes: tuple[str, ...]
    port: int  # where its servers listen unless told otherwise
    example: str  # an address, and what has to be there
    secrets: str  # where users and passwords belong instead of the address

    def access(self, address: Address, proofs: Proofs, environ: Mapping[str, str]) -> Access:
        """Return how to reach an address; raise UsageError for files or variables that cannot be."""
        ...


def read_access(text: str, proofs: Proofs, environ: Mapping[str, str], carriers: Iterable[Carrier]) -> Access:
    """Return how to reach a server; raise UsageError for an address, file or mix of them that cannot be."""
    known = {scheme: carrier for carrier in carriers for scheme in carrier.schemes}
    scheme = text.partition("://")[0] if "://" in text else text.partition(":")[0]
    if scheme not in known:
        raise UsageError.of(
            "unsupported-link",
            "the address of the link is of no known kind",
            expected="; or ".join(dict.fromkeys(each.example for each in known.values())),
            hint=nearest(scheme, known),
        )
    carrier = known[scheme]
    address = _read_address(text, carrier)
    _check_files(proofs)
    return carrier.access(address, proofs, environ)


def clear_secret(name: str, address: Address, expected: str) -> UsageError:
    """Return what is told of a secret that would travel where others can read it."""
    message = f"{name} is set, but {address} is not encrypted: anybody on the way could read it"
    return UsageError.of("secret-in-the-clear", message, expected=expected)


def unreachable(address: Address, cause: str) -> UnavailableError:
    """Return what is told of a server that is not there."""
    return UnavailableError.of(
        "link-unavailable", f"the server at {address} cannot be reached", cause=cause, hint=WAITS
    )


def _read_address(text: str, carrier: Carrier) -> Address:
    if "@" in text:
        raise UsageError.of(
            "secret-in-address",
            "the address holds a user or password, which others could read in the list of processes",
            expected=carrier.secrets,
        )
    scheme, _, rest = text.partition("://")
    try:
        hosts = tuple(_read_host(each, carrier.port) for each in rest.removesuffix("/").split(","))
    except ValueError as error:
        raise UsageError.of(
            "wrong-address", "the address of the link cannot be read", expected=carrier.example
        ) from error
    return Address(scheme, hosts)


def _read_host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError(text)
    return parts.hostname, parts.port or port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_files(proofs: Proofs) -> None:
    for path in (proofs.credentials, proofs.authority, proofs.certificate, proofs.key):
        if path is not None and not path.is_file():
            raise UsageError.of("no-file", f"there is no file {path}", expected="a file that this user may read")
    if (proofs.certificate is None) != (proofs.key is None):
        raise UsageError.of(
            "half-a-certificate", "a certificate needs its key", expected="--tls-certificate and --tls-key"
        )
