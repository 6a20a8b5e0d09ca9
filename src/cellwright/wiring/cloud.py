"""The gateway of a factory: its policy comes from the estate, its cloud tier from the environment."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.tokens import token_counter
from cellwright.estate.model import Boundary, Control, SensitivityClass, Tier
from cellwright.gateway.keys import hash_key
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.model import AccessKey, BackendSpec, GatewayConfig, ModelPrice, Route, Rule
from cellwright.gateway.serve import running
from cellwright.gateway.server import create_app
from cellwright.privacy.egress import guard_egress
from cellwright.store import sqlite_url
from cellwright.wiring.files import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwright.estate.model import Estate, PriceBook, Site, TokenPrices
    from cellwright.wiring.settings import ModelServer, Settings

REASONER: Final = "cellwright-reasoner"
ROUTE: Final = "auto"
_KEY_VARIABLE: Final = "CELLWRIGHT_CLOUD_API_KEY"


@dataclass(frozen=True, slots=True)
class OpenGateway:
    """A gateway that answers at `base_url` to whoever has the key in `key_file`."""

    base_url: str
    key: str
    key_file: Path
    model: str
    language_model: bool


@contextlib.contextmanager
def open_gateway(estate: Estate, settings: Settings, folder: Path, port: int = 0) -> Iterator[OpenGateway]:
    """Serve the factory's gateway on 127.0.0.1 while the block runs; meters go to `folder`/meter.db."""
    key_file = folder / "gateway.key"
    key = _load_or_create_token(key_file)
    config = gateway_config(estate, settings, key, port)
    cloud = settings.cloud
    environment = {_KEY_VARIABLE: cloud.api_key} if cloud and cloud.api_key else {}
    with Meter(sqlite_url(str(folder / "meter.db"))) as meter:
        app = create_app(config, guard=guard_egress, counter=token_counter(), meter=meter, secrets=environment)
        with running(app) as base_url:
            yield OpenGateway(base_url, key, key_file, config.backends[0].model, cloud is not None)


def gateway_config(estate: Estate, settings: Settings, key: str, port: int) -> GatewayConfig:
    """Return one route to the cloud tier, and the estate's regulations as the rules of what may take it."""
    return GatewayConfig(
        keys=(AccessKey("factory", settings.tenant, hash_key(key)),),
        backends=(_cloud_backend(estate, settings.cloud),),
        routes=(Route(ROUTE, ("cloud",), SensitivityClass.ANONYMISED),),
        rules=rules_of(estate),
        data_class=SensitivityClass.ANONYMISED,
        port=port,
    )


def token_prices(estate: Estate, model: str | None) -> tuple[PriceBook, TokenPrices] | None:
    """Return the price of `model`, else the first token price of the estate; None where it has none."""
    found = [(book, prices) for book in estate.price_books.values() for prices in book.tokens]
    return next((pair for pair in found if pair[1].model == model), next(iter(found), None))


def _cloud_backend(estate: Estate, cloud: ModelServer | None) -> BackendSpec:
    """Return the real model where one is configured: outside every boundary, as nobody said where it stands."""
    priced = token_prices(estate, cloud.model if cloud else None)
    if cloud is None:
        return BackendSpec(
            "cloud", "reasoner", REASONER, Tier.REGION, Boundary.COUNTRY, price=_price(priced, "in place of ")
        )
    return BackendSpec(
        "cloud",
        "openai",
        cloud.model,
        Tier.REGION,
        Boundary.NONE,
        base_url=cloud.base_url,
        api_key_env=_KEY_VARIABLE if cloud.api_key else None,
        price=_price(priced if priced and priced[1].model == cloud.model else None, ""),
    )


def _price(priced: tuple[PriceBook, TokenPrices] | None, prefix: str) -> ModelPrice | None:
    if priced is None:
        return None
    book, prices = priced
    return ModelPrice.of(prices, book.currency, f"{prefix}{prices.model}: {book.source}")


def home_of(estate: Estate) -> Site | None:
    """Return a site of the operator's own in the country where most of them stand; None where it has none."""
    mine = [site for site in estate.sites.values() if site.control is Control.OPERATOR]
    countries = Counter(site.jurisdiction for site in mine)
    return min(mine, key=lambda site: (-countries[site.jurisdiction], site.jurisdiction, site.name), default=None)


def rules_of(estate: Estate) -> tuple[Rule, ...]:
    """Return the regulations of the operator's home."""
    home = home_of(estate)
    return tuple(
        Rule(regulation.name, regulation.classes, regulation.boundary, regulation.source)
        for regulation in estate.regulations.values()
        if home is not None and home.jurisdiction in regulation.jurisdictions
    )


def _load_or_create_token(path: Path) -> str:
    """Return the key in a file of its owner's alone, made when absent."""
    with storage_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(32))
        return path.read_text(encoding="ascii")
