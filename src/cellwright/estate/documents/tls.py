"""The files of a listener's TLS, as documents of any kind name them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from cellwright.estate.documents.parts import Part, Text


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a listener's TLS, in PEM; with `client_ca`, clients need a certificate of that authority."""

    certificate: str
    key: str
    client_ca: str | None = None


class TlsPart(Part):
    """Transport security."""

    certificate: Text = Field(min_length=1, description="a PEM file with the certificate and its chain")
    key: Text = Field(min_length=1, description="a PEM file with the certificate's key")
    client_ca: Text | None = Field(default=None, min_length=1, description="a PEM file; clients need its certificate")

    def build(self) -> Tls:
        """Return the frozen files."""
        return Tls(self.certificate, self.key, self.client_ca)
