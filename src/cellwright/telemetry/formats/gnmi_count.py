"""Counts the facts of gNMI JSON from its tokens."""

from __future__ import annotations

import base64
import binascii
from types import MappingProxyType
from typing import Final

from cellwright.telemetry.formats.json_tokens import DOCUMENTS, OTHER, count_tokens, unescaped

_ENCODED: Final = frozenset(("jsonVal", "jsonIetfVal", "json_val", "json_ietf_val"))
_NESTED: Final = MappingProxyType(
    {
        (DOCUMENTS, "", b"["): DOCUMENTS,
        (DOCUMENTS, "", b"{"): "document",
        ("document", "update", b"{"): "notification",
        **{(role, "update", b"["): "updates" for role in ("document", "notification")},
        **{(role, "delete", b"["): "deletes" for role in ("document", "notification")},
        ("document", "updates", b"["): "value groups",
        ("document", "deletes", b"["): "deletes",
        ("document", "values", b"{"): "values",
        ("update", "val", b"{"): "typed value",
        ("value group", "values", b"{"): "values",
    }
)
_MEMBERS: Final = MappingProxyType({"updates": "update", "value groups": "value group", "deletes": "whole"})


class GnmiRules:
    """An update is as many facts as its value has leaves: texts, numbers, truths and nulls; without any it is one.

    A value that is not JSON is one leaf. A deleted path is a fact, and a document without facts is one.
    """

    def nested(self, around: str, key: str, mark: bytes) -> str:
        """Return the role of an object or array."""
        if around in _MEMBERS:
            return _MEMBERS[around] if mark == b"{" else "whole"
        if around in {"values", "value"}:
            return "value" if around == "values" else "leaves"
        if around == "leaves" or (around == "typed value" and key in _ENCODED):
            return "leaves"
        return _NESTED.get((around, key, mark), OTHER)

    def scalar(self, around: str, key: str, raw: bytes, *, quoted: bool) -> int:
        """Return 1 for a leaf and a member of a list of facts; the leaves of a value that is JSON in base64."""
        if around == "typed value" and key in _ENCODED and quoted:
            return _encoded(raw)
        return int(around in _MEMBERS or around in {DOCUMENTS, "values", "value", "leaves"})

    def closed(self, role: str, facts: int) -> int:
        """Return the facts of an object or array."""
        if role == "whole":
            return 1
        return max(1, facts) if role in {"document", "update", "value group", "value"} else facts


_RULES: Final = GnmiRules()


def _encoded(raw: bytes) -> int:
    content = decode_base64(unescaped(raw))
    return 1 if content is None else count_tokens(_RULES, content, "leaves")


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of a text in base64 of either alphabet, padded or not, as ProtoJSON reads; None of another."""
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def count_documents(raw: bytes) -> int:
    """Return the facts of one or more documents."""
    return count_tokens(_RULES, raw)


def count_item(role: str, raw: bytes) -> int:
    """Return the facts of one item, always one or more; `role` as in the layout."""
    return count_tokens(_RULES, raw, role + "s")
