"""The text of a PDF: its compressed streams, with the strings that kerning cuts up joined again."""

from __future__ import annotations

import io
import re
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from cellwright.privacy.audit import Place, Survivor, survivors_in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ: Final = 256 * 2**20  # bytes of a PDF that are held in memory
_INFLATED: Final = 64 * 2**20  # bytes that one of its streams may become
_ALL_INFLATED: Final = 1 << 30
_STREAM: Final = re.compile(rb"stream\r?\n")  # ISO 32000-1 clause 7.3.8
_KERNED: Final = re.compile(rb"\)\s{0,4}-?\d{0,6}(?:\.\d{1,6})?\s{0,4}\(")  # clause 9.4.3, the operator TJ
_HEXADECIMAL: Final = re.compile(rb"<((?:[0-9a-fA-F]{2}){4,4096})>")  # clause 7.3.4.3


def survivors_in_pdf(stream: BinaryIO) -> Iterator[Survivor | str]:
    """Yield what survives in a PDF as it is written and in its streams, and the code of what was not looked into."""
    yield from survivors_in_bytes(stream)
    stream.seek(0)
    data = stream.read(_READ + 1)
    if len(data) > _READ:
        yield "too-large"
    if b"/Encrypt" in data:
        yield "encrypted"
    left = _ALL_INFLATED
    for found in _STREAM.finditer(data):
        text = _inflated(data, found.end())
        left -= len(text)
        if left < 0 or len(text) == _INFLATED:
            yield "archive-too-large"
            return
        for survivor in survivors_in_bytes(io.BytesIO(_joined(text))) if text else ():
            yield Survivor(survivor.kind, Place(part="PDF stream", byte=found.end() + 1))


def _inflated(data: bytes, at: int) -> bytes:
    """Return what a stream expands to, as far as it is whole; nothing where it is packed in another way."""
    try:
        return zlib.decompressobj().decompress(memoryview(data)[at:], _INFLATED)
    except zlib.error:
        return b""


def _joined(text: bytes) -> bytes:
    plain = _HEXADECIMAL.sub(lambda found: b"(" + bytes.fromhex(found.group(1).decode()) + b")", text)
    return _KERNED.sub(b"", plain)
