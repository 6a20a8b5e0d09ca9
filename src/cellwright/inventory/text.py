"""Bytes become text: byte order marks are obeyed, everything else is UTF-8 unless the user says otherwise."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from cellwright.errors import Mark, UsageError

if TYPE_CHECKING:
    from cellwright.inventory.findings import Findings
    from cellwright.inventory.model import Options, Source

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(source: Source, options: Options, findings: Findings) -> str | None:
    """Return the text with newlines as LF, or None beside a problem that names the line of the first wrong byte."""
    data = source.data
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None) or options.encoding or "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line, column = place(data, error.start)
        message = f"byte {error.start} ({data[error.start]:#04x}) is not {encoding.upper()}"
        hint = "name the encoding it was saved in, such as --encoding cp1252, or save it as UTF-8"
        findings.problem("wrong-encoding", message, Mark(source.name, line, column), hint=hint)
        return None
    except LookupError as error:
        raise UsageError.of(
            "unknown-encoding", f"there is no encoding {encoding!r}", expected="such as utf-8, cp1252 or iso-8859-1"
        ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line, column = text_place(text, text.index("\0"))
        findings.problem(
            "not-text", "a NUL character: this is no text file", Mark(source.name, line, column), hint="export it anew"
        )
        return None
    if not text.strip():
        findings.problem("empty-file", "the file is empty", Mark(source.name, 1, 1), expected="an inventory")
        return None
    return text


def place(data: bytes, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of a byte."""
    return data.count(b"\n", 0, offset) + 1, offset - data.rfind(b"\n", 0, offset)


def text_place(text: str, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of a character."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
