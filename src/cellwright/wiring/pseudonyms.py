"""The pseudonyms of one run: their key, the policy, and the vault where one is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from cellwright.errors import UsageError, nearest
from cellwright.estate.model import SensitivityClass
from cellwright.privacy.keys import load_or_create_key
from cellwright.privacy.policy import DEFAULT_POLICY
from cellwright.privacy.policy_document import load_policy
from cellwright.privacy.pseudonymise import Pseudonymiser
from cellwright.privacy.vault import open_vault
from cellwright.wiring.files import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from cellwright.privacy.policy import Policy
    from cellwright.privacy.vault import Look, Vault
    from cellwright.wiring.settings import Settings


class Pseudonyms:
    """What pseudonymises in this run, anew when an epoch begins; use it as a context, or close it."""

    def __init__(self, settings: Settings, lakes: Sequence[Path]) -> None:
        """`lakes` are those written to: the vault must not lie in one. Raises UsageError and StorageError."""
        self._key = load_or_create_key(settings.key_file)
        self._tenant = settings.tenant
        self._policy = policy_of(settings)
        self._vault: Vault | None = open_vault(settings.vault, self._key, lakes) if settings.vault else None
        self._made: tuple[str, Pseudonymiser] | None = None

    def now(self) -> Pseudonymiser:
        """Return what pseudonymises at this moment."""
        epoch = self._policy.epoch.at(datetime.now(tz=UTC))
        if self._made is None or self._made[0] != epoch:
            remember = self._vault.remember if self._vault else None
            made = Pseudonymiser(self._key, self._policy, tenant=self._tenant, epoch=epoch, remember=remember)
            self._made = epoch, made
        return self._made[1]

    def flush(self) -> None:
        """Make what the vault was told durable; before the lake's sources are released."""
        if self._vault:
            self._vault.flush()

    def close(self) -> None:
        """Close the vault."""
        if self._vault:
            self._vault.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def policy_of(settings: Settings) -> Policy:
    """Return the policy that the settings name for their class of data; raise UsageError for what is wrong with it."""
    if settings.privacy_policy is None:
        return DEFAULT_POLICY
    classes = [each.value for each in SensitivityClass]
    if settings.data_class and settings.data_class not in classes:
        raise UsageError.of(
            "unknown-class",
            f"there is no sensitivity class {settings.data_class!r}",
            expected="one of " + ", ".join(classes),
            hint=nearest(settings.data_class, classes),
        )
    document = load_policy(read_text(settings.privacy_policy), str(settings.privacy_policy))
    return document.build(SensitivityClass(settings.data_class) if settings.data_class else None)


def reveal(settings: Settings, pseudonym: str, who: str, why: str) -> str | None:
    """Return the identifier behind a pseudonym, None where the vault has none; the look is logged with it."""
    with _vault(settings) as vault:
        return vault.reveal(pseudonym, who=who, why=why, at=datetime.now(tz=UTC))


def quarantine_key(settings: Settings) -> bytes:
    """Return the key that seals quarantined input in a lake, as mediation derives it."""
    return Pseudonymiser(load_or_create_key(settings.key_file)).derive("quarantine")


def looks(settings: Settings) -> tuple[Look, ...]:
    """Return who looked into the vault, when and why."""
    with _vault(settings) as vault:
        return vault.looks()


def _vault(settings: Settings) -> Vault:
    if settings.vault is None:
        raise UsageError.of(
            "no-vault", "no vault is named", expected="CELLWRIGHT_VAULT, the file that mediation was told to keep"
        )
    return open_vault(settings.vault, load_or_create_key(settings.key_file), ())
