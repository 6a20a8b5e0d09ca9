"""The files of TLS towards a gateway's backends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Files in PEM: by which authority a backend is verified (None: the system's), and what it is shown."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
