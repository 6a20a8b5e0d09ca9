"""Writes and reads distinguished names (TS 32.300) and 3GPP measurement names (TS 32.404)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_SPECIAL: Final = re.compile(r'([,+"\\<>;])')
_COMMA: Final = re.compile(r"(?<!\\),")
# Families of the measurements in TS 28.552 and TS 32.425: only in these does a third name part mean a subcounter.
_FAMILIES: Final = frozenset(
    (
        "CARR",
        "DRB",
        "ERAB",
        "GTP",
        "HO",
        "IP",
        "L1M",
        "MM",
        "MR",
        "PAG",
        "PEE",
        "QF",
        "QosFlow",
        "RACH",
        "RM",
        "RRC",
        "RRU",
        "S1SIG",
        "SM",
        "TB",
        "UECNTX",
        "VR",
    )
)


def rdn(object_class: str, value: str) -> str:
    """Return `class=value` with the value escaped as TS 32.300 (RFC 4514) asks; a value that is a name stays itself."""
    return value if "=" in value else object_class + "=" + _SPECIAL.sub(r"\\\1", value)


def join_dn(*parts: str | None) -> str | None:
    """Return the parts that are not empty as one name, None when all are."""
    return ",".join(part.strip() for part in parts if part and part.strip()) or None


@lru_cache(maxsize=4096)
def class_of(dn: str) -> str | None:
    """Return the class of the innermost object a name speaks of, None when it has none."""
    object_class, equals, _ = dn.rpartition(",")[2].partition("=")
    if equals and object_class.strip() and "\\" not in dn:
        return object_class.strip()
    for part in reversed(_COMMA.split(dn)):
        object_class, equals, _ = part.partition("=")
        if equals and object_class.strip():
            return object_class.strip()
    return None


@lru_cache(maxsize=65_536)
def split_counter(name: str) -> tuple[str, str | None]:
    """Return (counter, subcounter) of a measurement name `family.name.subcounter`; other names stay whole."""
    parts = name.split(".", 2)
    whole = len(parts) < 3 or parts[0] not in _FAMILIES or not parts[1] or not parts[2]  # noqa: PLR2004 - the grammar
    return (name, None) if whole else (f"{parts[0]}.{parts[1]}", parts[2])
