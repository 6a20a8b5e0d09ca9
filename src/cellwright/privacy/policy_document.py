"""What a user writes to say what becomes of identifiers, checked with file, line and column for every problem."""

from __future__ import annotations

import re
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.documents.parts import Document, Flag, Part, Text, one_of
from cellwright.estate.model import SensitivityClass
from cellwright.estate.refusals import path_text
from cellwright.estate.single import load_single
from cellwright.privacy.identifiers import Kind
from cellwright.privacy.policy import GENERAL, PLACES, Action, Epoch, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwright.estate.yaml_nodes import Node

_Action = Annotated[Action, one_of(Action)]
_Actions = dict[str, _Action]
_CELL: Final = re.compile(r"(?:\d{3}-\d{2,3}-)?(?:[0-9a-f]{9}|[0-9a-f]{7})|\d{3}-\d{2,3}-[0-9a-f]{1,5}-[0-9a-f]{1,5}")
_AREA: Final = re.compile(r"[a-z0-9-]{1,10}")  # too short for any number of a subscriber


class KeysPart(Part):
    """How pseudonyms are kept apart."""

    epoch: Annotated[Epoch, one_of(Epoch)] = Field(
        default=Epoch.NONE, description="none, day, month or year: after it, one identifier has another pseudonym"
    )
    per_tenant: Flag = Field(default=False, description="whether each tenant's pseudonyms are its own")


class GeneralPart(Part):
    """How coarse general is."""

    grid: Annotated[Text, Field(pattern=r"^(?:[1-9]|0\.0*[1-9])$")] = Field(
        default="0.1", description="degrees between two coordinates that are left, such as '0.1'"
    )
    gnb_id_bits: Annotated[int, Field(strict=True, ge=22, le=32)] = Field(
        default=24, description="bits of a gNB's identity in an NR cell identity"
    )
    areas: dict[str, Text] = Field(
        default={}, description="the tracking area of cells, such as 262-01-000012345: '0017'; others keep their gNB"
    )


class PrivacySpec(Part):
    """What becomes of each kind."""

    actions: _Actions = Field(default={}, description="keep, drop, mask, tokenise or generalise, by kind")
    classes: dict[str, _Actions] = Field(default={}, description="other actions for data of a sensitivity class")
    general: GeneralPart = Field(default=GeneralPart(), description="how coarse general is")
    keys: KeysPart = Field(default=KeysPart(), description="how pseudonyms are kept apart")


class PrivacyDocument(Document):
    """A document of kind PrivacyPolicy."""

    kind: Literal["PrivacyPolicy"] = Field(description="PrivacyPolicy")
    spec: PrivacySpec = Field(description="what becomes of each kind")

    def build(self, data_class: SensitivityClass | None = None) -> Policy:
        """Return the frozen policy for data of this class."""
        named = self.spec.classes.get(data_class, {}) if data_class else {}
        actions = {Kind(kind): action for kind, action in (self.spec.actions | named).items()}
        return Policy(
            name=self.metadata.name,
            actions=MappingProxyType(actions),
            areas=MappingProxyType(dict(self.spec.general.areas)),
            gnb_bits=self.spec.general.gnb_id_bits,
            grid=Decimal(self.spec.general.grid),
            epoch=self.spec.keys.epoch,
            per_tenant=self.spec.keys.per_tenant,
        )


def load_policy(text: str, file: str) -> PrivacyDocument:
    """Return the document that a YAML text holds; raise UsageError with all problems, each marked in `file`."""
    return load_single(PrivacyDocument, "not-a-privacy-policy", text, file, _inconsistencies)


def _inconsistencies(document: PrivacyDocument, node: Node) -> Iterator[Diagnostic]:
    for place, message, hint in _contradictions(document.spec):
        at = ("spec", *place)
        yield Diagnostic("invalid-privacy-policy", f"{path_text(at)}: {message}", node.key_mark(at), hint=hint)


def _contradictions(spec: PrivacySpec) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    """Yield (place, message, hint) of everything that cannot be done."""
    yield from _misfits(("actions",), spec.actions)
    classes = [each.value for each in SensitivityClass]
    for name, actions in spec.classes.items():
        if name not in classes:
            yield ("classes", name), f"there is no sensitivity class {name!r}", nearest(name, classes)
        yield from _misfits(("classes", name), actions)
    for cell, area in spec.general.areas.items():
        place = ("general", "areas", cell)
        if not _CELL.fullmatch(cell):
            yield place, "is no cell identity", "write it as 262-01-000012345, the digits in lower case"
        if not _AREA.fullmatch(area):
            yield place, "a tracking area has one to ten letters, digits and dashes", None


def _misfits(
    place: tuple[str, ...], actions: Mapping[str, Action]
) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    kinds = [kind.value for kind in Kind]
    for name, action in actions.items():
        at = (*place, name)
        if name not in kinds:
            yield at, f"there is no kind {name!r}", nearest(name, kinds)
        elif action is Action.KEEP and name not in PLACES:
            yield at, "identifiers are never kept", "only cell and position can be"
        elif action is Action.GENERALISE and name not in GENERAL:
            yield at, "it cannot be made coarser", f"only {', '.join(sorted(GENERAL))} can be"
