"""A plan as a FOCUS 1.2 cost and usage dataset in CSV: what its replicas will cost in a period, item by item.

FinOps Open Cost and Usage Specification 1.2 (focus.finops.org): all mandatory columns, and the conditional and
recommended ones that a plan can fill. The operator is provider, publisher and issuer, tenants are its sub accounts, and
a replica is a resource. Owned machines are charged as they are used, so that billed and effective cost are the same.
CSV as in RFC 4180; a text that a spreadsheet would run as a formula gets an apostrophe before it (OWASP, "CSV
Injection").

An unknown price leaves prices and SkuPriceId empty. The four cost columns must not be null and so say 0, which such a
row does not mean: `x_CellwrightUnknown` names what is missing, and so does the description.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.errors import CellwrightError, UsageError
from cellwright.estate.identity import fingerprint
from cellwright.estate.model import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.economics.compute import CostItem
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Placement, Plan

COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_CellwrightEstateSha256",
    "x_CellwrightPriceSource",
    "x_CellwrightUnknown",
    "x_CellwrightValidUntil",
)
"""FOCUS columns in alphabetical order, then ours; columns that stay null are there for tools that ask for them."""

OPERATOR: Final = "Operator"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width signs run too
_SECONDS: Final = 3600


class _Meter(NamedTuple):
    """How FOCUS speaks of what an item meters."""

    unit: str
    name: str
    details: Mapping[str, object] | None = None  # of one unit


_METERS: Final = {
    "core": _Meter("Core-Hours", "Core time", {"CoreCount": 1}),
    "memory": _Meter("GiB-Hours", "Memory time", {"MemorySize": 1}),
    "gpu": _Meter("GPU-Hours", "GPU time", {"GpuCount": 1}),
    "machine": _Meter("Machine-Hours", "Machine time"),
    "energy": _Meter("kWh", "Energy"),
    "ingress": _Meter("GB", "Data transfer"),
}
_UNMETERED: Final = _Meter("Hours", "Running time")
_ACCELERATION: Final = ("AI and Machine Learning", "AI acceleration", "AI Platforms")
_BACKHAUL: Final = ("Networking", "Backhaul", "Network Connectivity")
_CONTAINERS: Final = ("Compute", "Containers", "Containers")
_MACHINES: Final = ("Compute", "Machines", "Virtual Machines")  # which FOCUS says includes bare-metal servers


def focus_csv(plan: Plan, estate: Estate, period_start: datetime, period_end: datetime, account: str = OPERATOR) -> str:
    """Return what `plan` costs from `period_start` to `period_end` (exclusive), one row for each cost item.

    Costs are those of the plan's mean hour times the hours of the period: exact for whole days. Raises UsageError for
    a period without a time zone or without length, CellwrightError where the plan is that of another estate.
    """
    if plan.estate_sha256 != fingerprint(estate):
        raise CellwrightError.of(
            "plan-of-another-estate", "the plan was made from another version of this estate", hint="plan it again"
        )
    start, end = _instant(period_start), _instant(period_end)
    if start >= end:
        raise UsageError.of(
            "focus-period", f"the period from {_spelt(start)} to {_spelt(end)} has no length", expected="a later end"
        )
    hours = Decimal(int((end - start).total_seconds())) / _SECONDS
    common = _common(plan, account) | {
        "BillingPeriodStart": _spelt(start),
        "BillingPeriodEnd": _spelt(end),
        "ChargePeriodStart": _spelt(start),
        "ChargePeriodEnd": _spelt(end),
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for placement in plan.placements:
        if placement.site is not None:
            resource = common | _resource(placement, estate)
            for item in placement.cost_items:
                writer.writerow(resource | _charge(item, placement, hours) | _service(item, placement, estate))
    return text.getvalue()


def _common(plan: Plan, account: str) -> dict[str, str]:
    """Return what holds for every row."""
    issuer = _text(account)
    return {
        "BillingAccountId": issuer,
        "BillingAccountName": issuer,
        "BillingCurrency": plan.currency,
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "InvoiceIssuerName": issuer,
        "PricingCategory": "Standard",
        "ProviderName": issuer,
        "PublisherName": issuer,
        "x_CellwrightEstateSha256": plan.estate_sha256,
        "x_CellwrightValidUntil": plan.valid_until or "",
    }


def _resource(placement: Placement, estate: Estate) -> dict[str, str]:
    """Return what holds for every charge of one replica."""
    tenant, site = estate.tenants.get(placement.tenant), estate.sites[placement.site or ""]
    tags = dict(sorted(site.labels)) | {
        "cellwright/phase": placement.phase.value,
        "cellwright/replica": str(placement.replica),
        "cellwright/tier": site.tier.value,
        "cellwright/workload": placement.workload,
    }
    return {
        "RegionId": site.name,
        "RegionName": f"{site.name} ({site.jurisdiction})",
        "ResourceId": f"{placement.tenant}/{placement.workload}/{placement.replica}",
        "ResourceName": placement.label,
        "ResourceType": "Workload replica",
        "SubAccountId": _text(placement.tenant),
        "SubAccountName": _text(tenant.display_name if tenant else placement.tenant),
        "Tags": json.dumps(tags, sort_keys=True, ensure_ascii=False),
    }


def _charge(item: CostItem, placement: Placement, hours: Decimal) -> dict[str, str]:
    """Return the figures of one item for the period, in the currency of the plan."""
    amount, price = item.amount, item.amount if item.quantity is None else item.price
    meter = _METERS.get(_kind(item), _UNMETERED) if item.quantity is not None else _UNMETERED
    cost = _number(_exact(amount) * hours if amount is not None else Decimal(0))
    quantity = _number(_exact(1.0 if item.quantity is None else item.quantity) * hours)
    unit_price = "" if amount is None or price is None else _number(_exact(price))
    told = f"{item.label} for {placement.label} at {placement.site}"
    return {
        "BilledCost": cost,
        "ChargeDescription": _text(told if amount is not None else f"UNKNOWN PRICE, cost not 0: {told}"),
        "ConsumedQuantity": quantity,
        "ConsumedUnit": meter.unit,
        "ContractedCost": cost,
        "ContractedUnitPrice": unit_price,
        "EffectiveCost": cost,
        "ListCost": cost,
        "ListUnitPrice": unit_price,
        "PricingQuantity": quantity,
        "PricingUnit": meter.unit,
        "SkuMeter": meter.name,
        "SkuPriceDetails": _details(item, meter) if unit_price else "",
        "SkuPriceId": _text(item.price_id or item.label) if unit_price else "",
        "x_CellwrightPriceSource": _text(item.source) if amount is not None else "",
        "x_CellwrightUnknown": _text(item.source) if amount is None else "",
    }


def _service(item: CostItem, placement: Placement, estate: Estate) -> dict[str, str]:
    """Return what kind of service an item is for."""
    containers = estate.workloads[placement.workload].execution is Execution.KUBERNETES
    kinds = {"gpu": _ACCELERATION, "ingress": _BACKHAUL}
    category, name, subcategory = kinds.get(_kind(item), _CONTAINERS if containers else _MACHINES)
    return {
        "ServiceCategory": category,
        "ServiceName": name,
        "ServiceSubcategory": subcategory,
        "SkuId": _text(item.meter or item.label),
    }


def _details(item: CostItem, meter: _Meter) -> str:
    """Return what one unit of a metered thing is, as JSON, or nothing."""
    model = {"x_GpuModel": item.meter.removeprefix("gpu/")} if _kind(item) == "gpu" else {}
    details = {**(meter.details or {}), **model}
    return json.dumps(details, sort_keys=True, ensure_ascii=False) if details else ""


def _kind(item: CostItem) -> str:
    return item.meter.partition("/")[0]


def _instant(moment: datetime) -> datetime:
    """Return a moment in UTC, in whole seconds; raise UsageError where nobody knows which time zone is meant."""
    if moment.tzinfo is None:
        raise UsageError.of(
            "focus-period", f"{moment.isoformat()} has no time zone", expected="a time such as '2026-12-01T00:00:00Z'"
        )
    return moment.astimezone(UTC).replace(microsecond=0)


def _spelt(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _exact(value: float) -> Decimal:
    """Return the decimal number that a float is printed as."""
    return Decimal(repr(float(value)))


def _number(value: Decimal) -> str:
    """Return a number without exponent, sign or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(value: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value
