"""The files of a gateway's TLS, on both sides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of the listener's TLS, in PEM; with `client_ca`, clients need a certificate of that authority."""

    certificate: str
    key: str
    client_ca: str | None = None


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Files in PEM: by which authority a backend is verified (None: the system's), and what it is shown."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
