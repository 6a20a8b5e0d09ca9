"""gNMI notifications in JSON: SubscribeResponse in ProtoJSON, and the json and event forms of the collector gnmic."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.gathered import GatheredFacts
from cellwright.telemetry.formats.gnmi_count import count_documents, count_item
from cellwright.telemetry.formats.gnmi_paths import InvalidError, Place, follow_elements, follow_text
from cellwright.telemetry.formats.gnmi_values import leaf_columns, leaves, time_us, typed_leaves
from cellwright.telemetry.formats.json_documents import (
    Item,
    Layout,
    quarantine_document,
    read_documents,
    split_pieces,
    top_keys,
)
from cellwright.telemetry.formats.json_values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.json_documents import Document, Piece

_SYNC: Final = frozenset(("syncResponse", "sync_response", "sync-response"))
_FORMS: Final = (
    frozenset(("timestamp", "updates")),
    frozenset(("timestamp", "deletes")),
    frozenset(("timestamp", "tags", "values")),
    frozenset(("timestamp", "update")),
    frozenset(("timestamp", "delete")),
)
"""Keys that a notification has, in one of the forms; a SubscribeResponse has one member only."""
_LAYOUT: Final = Layout(
    starts=frozenset(("source", "subscription-name", "name", "timestamp", "prefix", "update", "updates", *_SYNC)),
    children=MappingProxyType(
        {
            ("", ""): {"{": "document"},
            ("document", "update"): {"{": "notification", "[": "list of updates"},
            ("notification", "update"): {"[": "list of updates"},
            ("list of updates", ""): {"*": "update"},
            **{(role, "delete"): {"[": "list of deletes"} for role in ("document", "notification")},
            ("document", "deletes"): {"[": "list of deletes"},
            ("list of deletes", ""): {"*": "delete"},
            ("document", "updates"): {"[": "list of groups"},
            ("list of groups", ""): {"*": "value group"},
            ("document", "values"): {"{": "values by path"},
            ("values by path", "*"): {"*": "value"},
        }
    ),
    items=frozenset(("update", "delete", "value group", "value")),
)


class Gnmi:
    """A fact is a leaf: a text, number, truth or null of an update, which has one at least. Deletes are left out.

    The path of a row has no keys; `keys` holds them as `interface.name`. The origin is what the path says, openconfig
    where the first module is one of OpenConfig, else gnmi.
    """

    name = "gnmi"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the head is JSON whose outermost objects are of one of the forms."""
        keys = top_keys(head)
        return bool(keys & _SYNC) or any(form <= keys for form in _FORMS) or (keys == {"update"} and b'"path"' in head)

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of facts, counted from braces, keys and texts."""
        return sum(count_documents(piece.raw) for piece in split_pieces(stream, _LAYOUT))

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; an invalid update is quarantined alone, damaged JSON up to the next document."""
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
        self._tree: dict[str, Any] = document.tree if isinstance(document.tree, dict) else {}
        self._flags = ["cut-document"] if document.broken else []  # what comes behind the facts may be missing

    def add(self) -> Iterator[None]:
        """Add everything that could be read of the document; yield between facts."""
        first = self._facts.ordinal
        for message in (self._tree, self._tree.get("update")):
            if isinstance(message, dict):
                yield from self._add_notification(message)
        if self._tree:
            yield from self._add_groups(self._tree)
            yield from self._add_event(self._tree)
        if not self._document.broken:
            self._settle(self._facts.ordinal - first)

    def _settle(self, found: int) -> None:
        """Account for a document that holds no facts, and for members that are not what they should be."""
        known = any(form & self._tree.keys() for form in _FORMS)
        if self._document.strays or not (known or _SYNC & self._tree.keys()):
            reason = "expected a SubscribeResponse, a Notification, or a notification as gnmic writes it"
            quarantine_document(self._facts, self._piece, self._document, reason, int(not found))
        elif not found:
            is_sync = bool(_SYNC & self._tree.keys())
            self._facts.leave_out("gnmi-sync-response" if is_sync else "gnmi-empty-document")

    def _add_notification(self, message: dict[str, Any]) -> Iterator[None]:
        for item in _items(message.get("update")):
            self._add_item(item, self._update_rows(message, item))
            yield
        self._facts_left_out("gnmi-delete", _items(message.get("delete")))

    def _update_rows(self, message: dict[str, Any], item: Item) -> Iterator[dict[str, object]]:
        shared = self._shared(message)
        update = _object(item)
        start = follow_elements(Place(), message.get("prefix"))
        for place, columns in typed_leaves(follow_elements(start, update.get("path")), update.get("val")):
            yield _row(place, columns, shared)

    def _add_groups(self, message: dict[str, Any]) -> Iterator[None]:
        for item in _items(message.get("updates")):
            self._add_item(item, self._group_rows(message, item))
            yield
        self._facts_left_out("gnmi-delete", _items(message.get("deletes")))

    def _group_rows(self, message: dict[str, Any], item: Item) -> Iterator[dict[str, object]]:
        """Yield the rows of an update as gnmic's json form has it: keys in `Path`, names without keys in `values`."""
        shared = self._shared(message)
        group = _object(item)
        start = follow_text(Place(target=_source(message.get("target"))), message.get("prefix"))
        start = follow_text(start, group.get("Path"))
        values = group.get("values")
        if not isinstance(values, dict):
            msg = "expected values that are an object"
            raise InvalidError(msg)
        for path, value in values.items():
            named = follow_text(Place(), path)
            place = Place(named.origin or start.origin, start.target, _longer(start, named), start.keys | named.keys)
            shared_here = shared | {"target": shared["target"] or place.target}
            for inside, leaf in _leaves_or_none(place, value):
                yield _row(inside, leaf, shared_here) if inside else {}

    def _add_event(self, message: dict[str, Any]) -> Iterator[None]:
        values = message.get("values")
        for path, item in values.items() if isinstance(values, dict) else ():
            self._add_item(item, self._event_rows(message, path, item))
            yield

    def _event_rows(self, message: dict[str, Any], path: str, item: Item) -> Iterator[dict[str, object]]:
        """Yield the rows of a value as gnmic's event form has it: the keys are among the tags."""
        if item.flaw:
            raise InvalidError(item.flaw)
        tags = message.get("tags") or {}
        if not isinstance(tags, dict):
            msg = "expected tags that are an object"
            raise InvalidError(msg)
        keys = {name: shown(value) for name, value in tags.items() if name != "source"}
        shared = self._shared({"timestamp": message.get("timestamp"), "source": tags.get("source")})
        place = follow_text(Place(), path)
        for inside, value in leaves(Place(place.origin, None, place.names, keys | place.keys), item.value):
            yield _row(inside, leaf_columns(value), shared)

    def _shared(self, message: Mapping[str, Any]) -> dict[str, object]:
        ts = time_us(message.get("timestamp"))
        flags = [*([] if ts is not None else ["no-time"]), *self._flags]
        return {"ts": ts, "target": _source(message.get("source")), "dq_flags": flags}

    def _add_item(self, item: Item, rows: Iterator[dict[str, object]]) -> None:
        """Add the rows of an item; an empty row stands for a value without leaves."""
        try:
            found = list(rows)
        except InvalidError as error:
            raw = self._piece.cut(item.start, item.end)
            line, facts = self._piece.line_at(item.start), count_item(item.role, raw)
            code = f"invalid-{item.role.replace(' ', '-')}"
            self._facts.quarantine(code, str(error), raw, facts=facts, line=line)
            return
        for row in found or [{}]:
            if row:
                self._facts.row("telemetry", row)
            else:
                self._facts.leave_out("gnmi-empty-value")

    def _facts_left_out(self, reason: str, items: list[Item]) -> None:
        if items:
            self._facts.leave_out(reason, facts=len(items))


def _leaves_or_none(place: Place, value: object) -> Iterator[tuple[Place | None, dict[str, object]]]:
    found = False
    for inside, leaf in leaves(place, value):
        found = True
        yield inside, leaf_columns(leaf)
    if not found:
        yield None, {}


def _longer(start: Place, named: Place) -> tuple[str, ...]:
    """Return the names of a value: those of its own path, which repeat the path of the update or go on from it."""
    if named.names[: len(start.names)] == start.names or start.names[-len(named.names) :] != named.names:
        return named.names or start.names
    return start.names


def _row(place: Place, columns: dict[str, object], shared: dict[str, object]) -> dict[str, object]:
    path = place.path()
    is_counter = "value_i64" in columns and "/counters/" in path  # as OpenConfig groups them
    flags = [*_texts(columns.get("dq_flags")), *_texts(shared["dq_flags"])]
    return (
        ({"kind": "counter"} if is_counter else {})
        | shared
        | columns
        | {
            "origin": place.origin or "gnmi",
            "target": shared["target"] or place.target,
            "path": path,
            "keys": list(place.keys.items()),
            "dq_flags": flags,
        }
    )


def _texts(value: object) -> list[str]:
    return value if isinstance(value, list) else []


def _source(value: object) -> str | None:
    return shown(value) if value else None


def _object(item: Item) -> dict[str, Any]:
    if item.flaw:
        raise InvalidError(item.flaw)
    if not isinstance(item.value, dict):
        msg = "expected an object"
        raise InvalidError(msg)
    return item.value


def _items(members: object) -> list[Item]:
    return [each for each in members if isinstance(each, Item)] if isinstance(members, list) else []
