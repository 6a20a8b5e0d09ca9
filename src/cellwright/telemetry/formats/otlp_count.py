"""Counts the facts of OTLP JSON from its tokens."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from cellwright.telemetry.formats.json_tokens import DOCUMENTS, OTHER, count_tokens

_KINDS: Final = MappingProxyType(
    {
        "gauge": "number",
        "sum": "number",
        "histogram": "histogram",
        "exponentialHistogram": "exponential",
        "summary": "summary",
    }
)
_NESTED: Final = MappingProxyType(
    {
        (DOCUMENTS, "", b"["): DOCUMENTS,
        (DOCUMENTS, "", b"{"): "document",
        ("document", "resourceLogs", b"["): "resource logs list",
        ("resource logs list", "", b"{"): "resource logs",
        ("resource logs", "scopeLogs", b"["): "scope logs list",
        ("scope logs list", "", b"{"): "scope logs",
        ("scope logs", "logRecords", b"["): "logs",
        ("document", "resourceSpans", b"["): "resource spans list",
        ("resource spans list", "", b"{"): "resource spans",
        ("resource spans", "scopeSpans", b"["): "scope spans list",
        ("scope spans list", "", b"{"): "scope spans",
        ("scope spans", "spans", b"["): "spans",
        ("document", "resourceMetrics", b"["): "resource metrics list",
        ("resource metrics list", "", b"{"): "resource metrics",
        ("resource metrics", "scopeMetrics", b"["): "scope metrics list",
        ("scope metrics list", "", b"{"): "scope metrics",
        ("scope metrics", "metrics", b"["): "metrics",
        ("metrics", "", b"{"): "metric",
        **{("metric", key, b"{"): f"{kind} data" for key, kind in _KINDS.items()},
        **{(f"{kind} data", "dataPoints", b"["): f"{kind} points" for kind in _KINDS.values()},
        ("histogram point", "bucketCounts", b"["): "values",
        ("exponential point", "positive", b"{"): "buckets",
        ("exponential point", "negative", b"{"): "buckets",
        ("buckets", "bucketCounts", b"["): "values",
        ("summary point", "quantileValues", b"["): "values",
    }
)
_LISTS: Final = frozenset(("logs", "spans", "values", *(f"{kind} points" for kind in _KINDS.values())))
_ONE_MORE: Final = frozenset(("histogram point", "exponential point", "summary point"))
_AGGREGATES: Final = MappingProxyType(
    {
        "histogram point": frozenset(("sum", "min", "max")),
        "exponential point": frozenset(("sum", "min", "max", "zeroCount")),
        "summary point": frozenset(("sum",)),
    }
)


class OtlpRules:
    """A log record, a span and a number point are one fact each; of other points the count, which they always have.

    To that come what is given of sum, min, max and zeroCount, each bucket and each quantile. A document without facts,
    and whatever stands in place of a document, is one.
    """

    def nested(self, around: str, key: str, mark: bytes) -> str:
        """Return the role of an object or array."""
        if around in _LISTS:
            return around.removesuffix("s") if around.endswith(" points") and mark == b"{" else "whole"
        return _NESTED.get((around, key, mark), OTHER)

    def scalar(self, around: str, key: str, raw: bytes, *, quoted: bool) -> int:
        """Return 1 for a member of a list of facts and for an aggregate of a point that is not null."""
        if key in _AGGREGATES.get(around, ()):
            return int(quoted or raw != b"null")
        return int(around in _LISTS or around == DOCUMENTS)

    def closed(self, role: str, facts: int) -> int:
        """Return the facts of an object or array."""
        if role in _ONE_MORE:
            return facts + 1
        return 1 if role in {"whole", "number point"} else max(1, facts) if role == "document" else facts


_RULES: Final = OtlpRules()


def count_documents(raw: bytes) -> int:
    """Return the facts of one or more documents."""
    return count_tokens(_RULES, raw)


def count_item(role: str, raw: bytes) -> int:
    """Return the facts of one member of a list of facts, always one or more; `role` as in the layout."""
    return count_tokens(_RULES, raw, role + "s")
