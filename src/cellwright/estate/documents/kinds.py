"""All kinds of documents, by the name a user writes in `kind`."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from cellwright.estate.documents.data import DatasetDocument, RegulationDocument
from cellwright.estate.documents.measurements import MeasurementDocument
from cellwright.estate.documents.parts import Document, one_of
from cellwright.estate.documents.places import LinkDocument, SiteDocument
from cellwright.estate.documents.prices import PriceBookDocument
from cellwright.estate.documents.work import TenantDocument, WorkloadDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

AnyDocument = (
    SiteDocument
    | LinkDocument
    | DatasetDocument
    | RegulationDocument
    | WorkloadDocument
    | TenantDocument
    | PriceBookDocument
    | MeasurementDocument
)


class Kind(StrEnum):
    """What a document can be."""

    SITE = "Site"
    LINK = "Link"
    DATASET = "Dataset"
    REGULATION = "Regulation"
    WORKLOAD = "Workload"
    TENANT = "Tenant"
    PRICE_BOOK = "PriceBook"
    MEASUREMENT = "Measurement"


class UnknownDocument(Document):
    """A document whose kind is missing or misspelt: only what all kinds share can be checked."""

    kind: Annotated[Kind, one_of(Kind)] = Field(description=f"one of {', '.join(Kind)}")
    spec: dict[str, Any] = Field(description="what the document says, by its kind")


KINDS: Final[Mapping[Kind, type[Document]]] = MappingProxyType(
    {
        Kind.SITE: SiteDocument,
        Kind.LINK: LinkDocument,
        Kind.DATASET: DatasetDocument,
        Kind.REGULATION: RegulationDocument,
        Kind.WORKLOAD: WorkloadDocument,
        Kind.TENANT: TenantDocument,
        Kind.PRICE_BOOK: PriceBookDocument,
        Kind.MEASUREMENT: MeasurementDocument,
    }
)
