"""What the environment says: folders, keys and model servers. The only place that reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cellwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_DATA: Final = "../shared/data"


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A real OpenAI-compatible server and the model to ask; the key never shows in a representation."""

    base_url: str
    model: str
    api_key: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one process."""

    data: Path  # public data sets; need not exist
    key_file: Path  # key of the pseudonyms
    state: Path  # default folder for lakes and meters
    cache: Path  # what may be lost at any time, such as copies of the ledgers of lakes in object stores
    tenant: str
    cloud: ModelServer | None  # answers about digests
    privacy_policy: Path | None = None  # what becomes of each kind of identifier; None: all are tokenised
    data_class: str | None = None  # the sensitivity class whose actions the policy takes
    edge: ModelServer | None = None  # rewrites digests where the lake is
    vault: Path | None = None  # the way back from pseudonyms; None: none is kept


def read_settings(environ: Mapping[str, str], home: Path) -> Settings:
    """Return the settings of `environ` (`CELLWRIGHT_*` and the XDG folders); raise UsageError for contradictions."""
    share = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "cellwright"
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "cellwright"
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "cellwright"
    return Settings(
        data=Path(environ.get("CELLWRIGHT_DATA") or DEFAULT_DATA),
        key_file=Path(environ.get("CELLWRIGHT_KEY_FILE") or share / "pseudonym.key"),
        state=state,
        cache=cache,
        tenant=environ.get("CELLWRIGHT_TENANT") or "operator",
        cloud=_model_server(environ, "CLOUD", "to use the embedded reasoner"),
        edge=_model_server(environ, "EDGE", "where no model rewrites digests"),
        privacy_policy=_path(environ.get("CELLWRIGHT_PRIVACY_POLICY")),
        data_class=environ.get("CELLWRIGHT_DATA_CLASS") or None,
        vault=_path(environ.get("CELLWRIGHT_VAULT")),
    )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _model_server(environ: Mapping[str, str], tier: str, hint: str) -> ModelServer | None:
    """Return the server that `CELLWRIGHT_<tier>_*` name, None where they name none."""
    names = [f"CELLWRIGHT_{tier}_{part}" for part in ("BASE_URL", "MODEL", "API_KEY")]
    base_url, model, api_key = (environ.get(name) or None for name in names)
    if not base_url and not model and not api_key:
        return None
    incomplete, address = f"{tier.lower()}-tier-incomplete", f"{tier.lower()}-tier-address"
    if not base_url or not model:
        raise UsageError.of(
            incomplete,
            f"{names[1] if base_url else names[0]} is not set, but other CELLWRIGHT_{tier}_ variables are",
            expected="both _BASE_URL and _MODEL, and _API_KEY where the server asks for one",
            hint=f"set it, or unset all three {hint}",
        )
    if not is_address(base_url):
        raise UsageError.of(
            address,
            f"{names[0]} is no address of a server",
            expected="an address such as https://models.example/v1, without user or password",
            hint=f"a key goes into {names[2]}",
        )
    if api_key is not None and not api_key.isprintable():
        raise UsageError.of(address, f"{names[2]} holds a line end or a control character", expected="the key alone")
    return ModelServer(base_url.rstrip("/"), model, api_key)


def is_address(text: str) -> bool:
    """Return whether a text is the address of a server, without user and password."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None and port != 0
