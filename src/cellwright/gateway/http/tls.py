"""TLS 1.2 or later on both sides; the server's certificate is renewed without a connection being dropped."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.estate.documents.tls import Tls
    from cellwright.gateway.model_network import ServerTls


_GATEWAY: Final = ("the gateway", "certificate and key in PEM that belong together, and a clients' authority in PEM")
_BACKEND: Final = ("a backend", "an authority in PEM, and a certificate and key in PEM that belong together")


class Certificate:
    """The certificate that clients are shown, as its files say it at the time."""

    def __init__(self, files: Tls) -> None:
        """Raises UsageError for files that do not do."""
        self._files = files
        self.context = _server_side(files)

    def renew(self) -> None:
        """Show the certificate in the files to whoever connects from now on; raise UsageError and change nothing."""
        _server_side(self._files)
        self.context.load_cert_chain(self._files.certificate, self._files.key)


def backend_context(files: ServerTls) -> ssl.SSLContext:
    """Return how a server's certificate is verified, and what is shown to it; raise UsageError."""
    try:
        return verifying_context(files.ca, files.certificate, files.key)
    except OSError as error:
        raise _unusable(_BACKEND, (files.ca, files.certificate, files.key), error) from error


def verifying_context(
    authority: str | None = None, certificate: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """Return the client side of TLS: servers are verified by the authorities of the system, or by those of a file."""
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def _server_side(files: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise _unusable(_GATEWAY, (files.certificate, files.key, files.client_ca), error) from error
    return context


def _unusable(told: tuple[str, str], files: Iterable[str | None], error: OSError) -> UsageError:
    whose, expected = told
    named = ", ".join(name for name in files if name is not None)
    return UsageError.of(
        "tls-unusable",
        f"the TLS files of {whose} cannot be used: {named}",
        cause=error.strerror or type(error).__name__,
        expected=expected,
    )
