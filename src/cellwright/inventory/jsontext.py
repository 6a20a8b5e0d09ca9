"""JSON documents that hold lists of objects: each object with its place, decoded one by one into what is needed of it.

What is not needed is skipped without being built, so that memory stays at the size of the file and of what is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from cellwright.errors import Mark
from cellwright.inventory.model import ELEMENT_LIMIT
from cellwright.inventory.text import decode, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwright.inventory.findings import Findings
    from cellwright.inventory.model import Options, Source

StructT = TypeVar("StructT")
_BYTE: Final = re.compile(r"\(byte (\d+)\)")


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a list, still text."""

    key: str  # of the list in the document, "" where the document is the list
    raw: msgspec.Raw
    mark: Mark


def items(source: Source, keys: tuple[str, ...], options: Options, findings: Findings) -> Iterator[Item]:
    """Yield the objects of the lists below `keys`, or of a document that is a list or one object by itself."""
    text = decode(source, options, findings)
    if text is None:
        return
    data = text.encode()
    count = 0
    for key, raw, start in _lists(data, source.name, keys, findings):
        for item, mark in _members(data, raw, start, source.name, findings):
            count += 1
            if count > ELEMENT_LIMIT:
                findings.problem("too-large", f"more than {ELEMENT_LIMIT:,} objects", mark, hint="import parts")
                return
            yield Item(key, item, mark)


def struct(item: Item, kind: type[StructT], what: str, findings: Findings) -> StructT | None:
    """Return an object as `kind`, or None beside a problem that names the key."""
    try:
        return msgspec.json.decode(item.raw, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        message, _, path = str(error).partition(" - at `$")
        where = f" at {path.strip('`.')}" if path else ""
        findings.problem(
            "wrong-type", f"this is no {what}{where}: {_lower(message)}", item.mark, expected=f"one {what}"
        )
        return None


def _lists(
    data: bytes, file: str, keys: tuple[str, ...], findings: Findings
) -> Iterator[tuple[str, msgspec.Raw | bytes, int]]:
    """Yield each list of objects as key, text and offset."""
    if data.lstrip()[:1] == b"[":
        yield "", data, 0
        return
    fields = _decoded(data, dict[str, msgspec.Raw], data, 0, file, findings)
    if fields is None:
        return
    chosen = [key for key in keys if key in fields]
    if not chosen:
        expected = f"a list, or an object with {' or '.join(repr(key) for key in keys[:3])}"
        findings.problem("wrong-json", "there is no list of objects in this JSON", Mark(file, 1, 1), expected=expected)
    for key in chosen:
        start = max(0, data.find(f'"{key}"'.encode()))
        raw = fields[key]
        if bytes(memoryview(raw)[:1]) == b"{":  # an answer of an API, kept below its name
            inner: Mapping[str, msgspec.Raw] = (
                _decoded(bytes(raw), dict[str, msgspec.Raw], data, start, file, findings) or {}
            )
            if "results" not in inner:
                continue
            start, raw = max(start, data.find(b'"results"', start)), inner["results"]
        yield key, raw, start


def _members(
    data: bytes, raw: msgspec.Raw | bytes, start: int, file: str, findings: Findings
) -> Iterator[tuple[msgspec.Raw, Mark]]:
    members = _decoded(bytes(raw), list[msgspec.Raw], data, start, file, findings)
    line, counted = place(data, start)[0], start
    for member in members or ():
        size = len(memoryview(member))
        at = data.find(bytes(member), start)
        start = max(at, 0) + size
        line += data.count(b"\n", counted, at)
        counted = at
        yield member, Mark(file, line, at - data.rfind(b"\n", 0, at))


def _decoded(  # noqa: PLR0913, PLR0917 - a part of a text, and where the whole is
    part: bytes, kind: type[StructT], data: bytes, start: int, file: str, findings: Findings
) -> StructT | None:
    try:
        return msgspec.json.decode(part, type=kind)
    except RecursionError:
        findings.problem("too-large", "values are nested too deeply", Mark(file, *place(data, start)))
    except msgspec.ValidationError as error:
        findings.problem(
            "wrong-json", _lower(str(error)), Mark(file, *place(data, start)), expected="JSON as the tool writes it"
        )
    except msgspec.DecodeError as error:
        at = _BYTE.search(str(error))
        offset = start + int(at[1]) if at else len(data)
        what = _lower(_BYTE.sub("", str(error)).strip())
        hint = "is the file complete?" if "truncated" in str(error) else None
        findings.problem("json-syntax", f"this is not JSON: {what}", Mark(file, *place(data, offset)), hint=hint)
    return None


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
