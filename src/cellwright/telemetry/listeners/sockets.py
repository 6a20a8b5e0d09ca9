"""Sockets and TLS of listeners, and what is told where they cannot be had."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING, Final

from cellwright.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from cellwright.estate.documents.tls import Tls
    from cellwright.telemetry.listener import ListenerSpec

_OTHER_ADDRESS: Final = (
    "give an address of this machine: 127.0.0.1 for this machine alone, 0.0.0.0 for all of its networks"
)
_HINTS: Final[dict[int | None, str]] = {
    errno.EADDRINUSE: "stop the program that uses the port, or choose another port; 0 takes any free one",
    errno.EACCES: "choose a port from 1024 up: lower ones are for privileged programs",
}


def bind(spec: ListenerSpec, kind: socket.SocketKind) -> socket.socket:
    """Return a socket bound to a listener's address, not blocking; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in spec.host else socket.AF_INET
    bound = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((spec.host, spec.port))
        bound.settimeout(0)
    except (OSError, UnicodeError) as error:
        bound.close()
        raise unbound(error, f"listener {spec.name}", spec.host, spec.port) from error
    return bound


def unbound(error: OSError | UnicodeError, what: str, host: str, port: int) -> UnavailableError:
    """Return the error for an address that `what` cannot be bound to, with what to do about it."""
    number = getattr(error, "errno", None)
    return UnavailableError.of(
        "port-taken" if number == errno.EADDRINUSE else "port-unavailable",
        f"{what} cannot listen on {host} port {port}",
        cause=getattr(error, "strerror", None) or type(error).__name__,
        hint=_HINTS.get(number, _OTHER_ADDRESS),
    )


def address(bound: socket.socket, scheme: str) -> str:
    """Return the address that senders are given."""
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def tls_context(name: str, files: Tls) -> ssl.SSLContext:
    """Return the server side of TLS 1.2 or later; raise UsageError for files that do not do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise UsageError.of(
            "tls-unusable",
            f"the TLS files of listener {name} cannot be used",
            cause=getattr(error, "strerror", None) or type(error).__name__,
            expected="certificate and key in PEM that belong together, and a clients' authority in PEM",
        ) from error
    return context
