"""Documents of prices: PriceBook."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, field_validator

from cellwright.estate.documents.parts import (
    Document,
    Evidence,
    Lifetime,
    Part,
    Power,
    Price,
    Reference,
    Share,
    Text,
    one_of,
    refuse,
)
from cellwright.estate.model import ComputePrices, OwnedHardware, PriceBook, Tier, TokenPrices


class ComputePart(Part):
    """Hourly prices at the sites of one tier, or at one site."""

    tier: Annotated[Tier, one_of(Tier)] = Field(description="the kind of place")
    site: Reference | None = Field(default=None, description="the one site it is about; all of the tier if absent")
    core_hour: Price = Field(description="price of one core for one hour")
    memory_gib_hour: Price = Field(description="price of one GiB of memory for one hour")
    gpu_hour: dict[str, Price] = Field(default_factory=dict, description="price of one GPU for one hour, by model")
    ingress_gb: Price = Field(description="price of one GB that arrives from another site")

    def build(self) -> ComputePrices:
        """Return the frozen prices."""
        gpu_hour = {gpu: float(price) for gpu, price in sorted(self.gpu_hour.items())}
        return ComputePrices(
            tier=self.tier,
            site=self.site,
            core_hour=float(self.core_hour),
            memory_gib_hour=float(self.memory_gib_hour),
            gpu_hour=MappingProxyType(gpu_hour),
            ingress_gb=float(self.ingress_gb),
        )


class TokensPart(Part):
    """Prices of one model."""

    model: Text = Field(min_length=1, description="the name of the model")
    input_per_million: Price = Field(description="price of a million tokens in")
    output_per_million: Price = Field(description="price of a million tokens out")

    def build(self) -> TokenPrices:
        """Return the frozen prices."""
        return TokenPrices(self.model, float(self.input_per_million), float(self.output_per_million))


class OwnedPart(Part):
    """What machines cost whose owner pays for them once, at the sites of one tier, or at one site."""

    tier: Annotated[Tier, one_of(Tier)] = Field(description="the kind of place")
    site: Reference | None = Field(default=None, description="the one site it is about; all of the tier if absent")
    node: Reference | None = Field(default=None, description="the name of the machines there; all of them if absent")
    capex: Price = Field(description="price of one machine")
    lifetime: Lifetime = Field(gt=0, description="how long it is used, such as 5 years")
    utilisation: Share = Field(description="the share of its life in which it earns, above 0 and at most 1")
    power: Power = Field(description="mean draw of one machine, such as 0.8 kW")
    kwh: Price = Field(description="price of a kilowatt-hour")

    def build(self) -> OwnedHardware:
        """Return the frozen cost."""
        return OwnedHardware(
            tier=self.tier,
            site=self.site,
            node=self.node,
            capex=float(self.capex),
            lifetime_years=self.lifetime,
            utilisation=float(self.utilisation),
            power_kw=self.power,
            kwh=float(self.kwh),
        )


class PriceBookSpec(Evidence):
    """Prices in one currency."""

    currency: Text = Field(description="three capital letters (ISO 4217), such as EUR")
    compute: tuple[ComputePart, ...] = Field(default=(), description="prices of compute")
    owned: tuple[OwnedPart, ...] = Field(default=(), description="costs of machines that the operator owns")
    tokens: tuple[TokensPart, ...] = Field(default=(), description="prices of tokens")

    @field_validator("currency")
    @classmethod
    def _currency_code(cls, currency: str) -> str:
        if len(currency) == 3 and currency.isascii() and currency.isupper():  # noqa: PLR2004 - ISO 4217 says three
            return currency
        raise refuse("wrong-format", repr(currency), expected="a currency as three capital letters, such as 'EUR'")


class PriceBookDocument(Document):
    """Prices with their source, date and currency."""

    kind: Literal["PriceBook"]
    spec: PriceBookSpec = Field(description="the prices and where they come from")

    def build(self) -> PriceBook:
        """Return the frozen price book."""
        spec = self.spec
        return PriceBook(
            name=self.metadata.name,
            currency=spec.currency,
            source=spec.source,
            checked=spec.checked,
            expires=spec.expires,
            compute=tuple(part.build() for part in spec.compute),
            tokens=tuple(part.build() for part in spec.tokens),
            owned=tuple(part.build() for part in spec.owned),
        )
