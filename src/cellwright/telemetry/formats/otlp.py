"""OTLP logs and metrics in JSON (opentelemetry-proto 1.x, OTLP specification, "JSON Protobuf Encoding")."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.gathered import GatheredFacts
from cellwright.telemetry.formats.json_documents import (
    Item,
    Layout,
    quarantine_document,
    read_documents,
    split_pieces,
    top_keys,
)
from cellwright.telemetry.formats.otlp_count import count_documents, count_item
from cellwright.telemetry.formats.otlp_logs import log_row
from cellwright.telemetry.formats.otlp_metrics import LeftOut, point_rows
from cellwright.telemetry.formats.otlp_values import InvalidError, Speaker, read_speaker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.json_documents import Document, Piece

_ROOTS: Final = frozenset(("resourceLogs", "resourceMetrics", "resourceSpans"))
_KINDS: Final = MappingProxyType(
    {
        "gauge": "number point",
        "sum": "number point",
        "histogram": "histogram point",
        "exponentialHistogram": "exponential point",
        "summary": "summary point",
    }
)
_LAYOUT: Final = Layout(
    starts=_ROOTS,
    children=MappingProxyType(
        {
            ("", ""): {"{": "document"},
            ("document", "resourceLogs"): {"[": "resources of logs"},
            ("resources of logs", ""): {"{": "resource logs"},
            ("resource logs", "scopeLogs"): {"[": "scopes of logs"},
            ("scopes of logs", ""): {"{": "scope logs"},
            ("scope logs", "logRecords"): {"[": "log records"},
            ("log records", ""): {"*": "log"},
            ("document", "resourceSpans"): {"[": "resources of spans"},
            ("resources of spans", ""): {"{": "resource spans"},
            ("resource spans", "scopeSpans"): {"[": "scopes of spans"},
            ("scopes of spans", ""): {"{": "scope spans"},
            ("scope spans", "spans"): {"[": "list of spans"},
            ("list of spans", ""): {"*": "span"},
            ("document", "resourceMetrics"): {"[": "resources of metrics"},
            ("resources of metrics", ""): {"{": "resource metrics"},
            ("resource metrics", "scopeMetrics"): {"[": "scopes of metrics"},
            ("scopes of metrics", ""): {"{": "scope metrics"},
            ("scope metrics", "metrics"): {"[": "list of metrics"},
            ("list of metrics", ""): {"{": "metric"},
            **{("metric", key): {"{": f"data of {point}"} for key, point in _KINDS.items()},
            **{(f"data of {point}", "dataPoints"): {"[": f"list of {point}"} for point in _KINDS.values()},
            **{(f"list of {point}", ""): {"*": point} for point in _KINDS.values()},
        }
    ),
    items=frozenset(("log", "span", *_KINDS.values())),
)


class Otlp:
    """A fact is a log record, a span, or a value that a data point becomes; `otlp_count` says which those are.

    Logs and values become rows; spans and the buckets of exponential histograms are left out, by name.
    """

    name = "otlp"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the head is JSON whose outermost objects are of OTLP."""
        return bool(top_keys(head) & _ROOTS)

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of facts, counted from braces, keys and texts."""
        return sum(count_documents(piece.raw) for piece in split_pieces(stream, _LAYOUT))

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; an invalid record or point is quarantined alone, damaged JSON up to the next document."""
        facts = GatheredFacts()

        def add(piece: Piece, document: Document) -> Iterator[None]:
            return _Reading(facts, piece, document).add()

        yield from read_documents(facts, stream, _LAYOUT, count_documents, add)


class _Reading:
    """One document on its way into the facts."""

    def __init__(self, facts: GatheredFacts, piece: Piece, document: Document) -> None:
        self._facts = facts
        self._piece = piece
        self._document = document
        self._flags = ["cut-document"] if document.broken else []  # what comes behind the facts may be missing

    def add(self) -> Iterator[None]:
        """Add everything that could be read of the document; yield between facts."""
        first = self._facts.ordinal
        tree = self._document.tree if isinstance(self._document.tree, dict) else {}
        for around in _members(tree, "resourceLogs"):
            yield from self._add_logs(around)
        for around in _members(tree, "resourceMetrics"):
            yield from self._add_metrics(around)
        for around in _members(tree, "resourceSpans"):
            for scope in _members(around, "scopeSpans"):
                self._facts.leave_out("otlp-span", facts=len(scope.get("spans") or ()))
        if not self._document.broken:
            self._settle(tree, self._facts.ordinal - first)

    def _settle(self, tree: dict[str, Any], found: int) -> None:
        """Account for a document that holds no facts, and for members that are not what they should be."""
        if self._document.strays or not _ROOTS & tree.keys():
            reason = "expected resourceLogs, resourceMetrics or resourceSpans with arrays of objects within"
            quarantine_document(self._facts, self._piece, self._document, reason, int(not found))
        elif not found:
            self._facts.leave_out("otlp-empty-document")

    def _add_logs(self, around: dict[str, Any]) -> Iterator[None]:
        for scope in _members(around, "scopeLogs"):
            speaker = self._speaker(around, scope)
            for item in scope.get("logRecords") or ():
                try:
                    row = log_row(_object(item), _known(speaker))
                except InvalidError as error:
                    self._refuse(item, str(error))
                else:
                    self._facts.row("logs", self._flagged(row))
                yield

    def _add_metrics(self, around: dict[str, Any]) -> Iterator[None]:
        for scope in _members(around, "scopeMetrics"):
            speaker = self._speaker(around, scope)
            for metric in _members(scope, "metrics"):
                for key in _KINDS:
                    data = metric.get(key)
                    for item in (data.get("dataPoints") or ()) if isinstance(data, dict) else ():
                        self._add_point(speaker, metric, key, item)
                        yield

    def _add_point(self, speaker: Speaker | InvalidError, metric: dict[str, Any], key: str, item: Item) -> None:
        try:
            rows = list(point_rows(_object(item), key, metric, _known(speaker)))
        except InvalidError as error:
            self._refuse(item, str(error))
            return
        for row in rows:
            if isinstance(row, LeftOut):
                self._facts.leave_out(row.reason, facts=row.facts)
            else:
                unsaid = {"kind": None} if self._flags and key == "sum" else {}  # isMonotonic stands behind the points
                self._facts.row("telemetry", self._flagged(row | unsaid))

    def _speaker(self, around: dict[str, Any], scope: dict[str, Any]) -> Speaker | InvalidError:
        try:
            return read_speaker(around.get("resource"), scope.get("scope"))
        except InvalidError as error:
            return error

    def _flagged(self, row: dict[str, object]) -> dict[str, object]:
        if self._flags:
            flags = row.get("dq_flags")
            row["dq_flags"] = [*(flags if isinstance(flags, list) else []), *self._flags]
        return row

    def _refuse(self, item: Item, reason: str) -> None:
        raw = self._piece.cut(item.start, item.end)
        facts = count_item(item.role, raw)
        self._facts.quarantine(
            f"invalid-{item.role.replace(' ', '-')}", reason, raw, facts=facts, line=self._line(item)
        )

    def _line(self, item: Item) -> int:
        return self._piece.line_at(item.start)


def _known(speaker: Speaker | InvalidError) -> Speaker:
    if isinstance(speaker, InvalidError):
        raise speaker
    return speaker


def _object(item: Item) -> dict[str, Any]:
    if item.flaw:
        raise InvalidError(item.flaw)
    if not isinstance(item.value, dict):
        msg = "expected an object"
        raise InvalidError(msg)
    return item.value


def _members(around: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Yield the objects in an array that the layout read."""
    members = around.get(key)
    yield from (each for each in (members if isinstance(members, list) else ()) if isinstance(each, dict))
