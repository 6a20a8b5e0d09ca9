"""Where in a column identifiers may stand: conditions that are cheap, necessary, and nothing more.

Each family of alternatives has a condition on a text, matched by RE2 in one pass over a column, and one on a place,
matched by `re`: where no condition holds, no alternative matches. RE2 does not look around, and writes out what is to
be repeated so and so often, so that hardly anything is counted here. All are about ASCII text in lower case; what needs
more than that is `SLOW`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.privacy.patterns import PSEUDONYM_LETTERS
from cellwright.privacy.starts import are_spaced

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

_GAP: Final = r"[ \t._/()-]{0,2}"
_TO_VALUE: Final = r"(?:%[0-9a-f]{2}|[^0-9a-z_\n])*(?:(?:is|was|value|id|no|nr|num|number|for)[^0-9a-z_\n]+)*"
_LABELS: Final = (
    r"imsi|supi|msin|msisdn|gpsi|e\.?164|imei|pei|call(?:ing|ed|er|ee)|diall?ed|phone|mobile|subscriber|tel"
    r"|[ab][-_]?number"
)
_QUAD: Final = r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"
_HEXTETS: Final = r"(?:[0-9a-f]{1,4}:){5}[0-9a-f]"
_BYTES: Final = r"-[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}-"

SLOW: Final = (
    r"[^\x00-\x7f]|\\u00[0-7]|%[0-7][0-9a-f]|&#|@[a-z0-9.-]*3gppnetwork\.org"
    r"|(?:supi|gpsi|nai|impi|impu)[^\n]*@"
)
"""What reads otherwise than it is written, or may begin anywhere: such a text is scanned by itself."""
SLOW_MARKS: Final = (b"\\", b"%", b"&", b"@")
"""Of ASCII text, one of which is in whatever `SLOW` matches."""

NUMBERS: Final = (
    r"(?:^|[^0-9])(?:[02-9][0-9]{10,12}|1[0-9]{10,11})(?:[^0-9]|$)|[0-9]{14}",
    _QUAD,
    rf"\+[1-9](?:{_GAP}[0-9]){{6}}|(?:ip|ue|ec2)[_-][0-9]{{1,3}}[_-][0-9]{{1,3}}[_-][0-9]{{1,3}}[_-][0-9]",
    r"[0-9]{3}[ \t._:/-][0-9]{2,3}[ \t._:/-][0-9]{9}",
    r"(?:[0-9]{2}[ /-][0-9]{6}|[0-9]{6}[ /-][0-9]{2}|[0-9]{8})[ /-][0-9]{6}",
    r"00[1-9][0-9]{0,2}[ /-][0-9]{2,5}[ /-]?[0-9]{4}",
    r"::[0-9a-f:]*[0-9]|[0-9][0-9a-f:]*::|(?:^|[^0-9a-z_:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::",
    _HEXTETS,
)
"""Conditions on a text of the families whose places `starts_by_family` tells."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Necessary conditions of some families: on the text (RE2), and on the place where a match begins (`re`)."""

    families: tuple[str, ...]
    text: str
    place: re.Pattern[str]
    may_hold: Callable[[str, NDArray[np.uint8]], bool] = lambda _text, _bytes: True  # what a glance at many texts tells


WORDS: Final = Hint(
    ("words",),
    rf"(?:{_LABELS})[a-z_]*{_TO_VALUE}[0-9](?:{_GAP}[0-9]){{4}}"
    r"|suci|nai-|gci-|gli-|extid-|(?:tmsi|guti)[a-z_]*[^0-9a-z_\n]*(?:0x)?[0-9a-f]"
    r"|mac[a-z_]*[^0-9a-z_\n]+[0-9a-f]{12}",
    re.compile(
        r"i(?=msi|mei)|s(?=upi|uci|ubscriber)|m(?=sin|sisdn|obile|ac)|g(?=psi|ci-|li-|uti)|e(?=\.?164|xtid-)"
        r"|p(?=ei|hone)|c(?=all(?:ing|ed|er|ee))|d(?=iall?ed)|t(?=el|msi)|n(?=ai-)|a(?=[-_]?number)|b(?=[-_]?number)"
    ),
)
MACS: Final = Hint(
    ("macs",),
    r"(?:[0-9a-f]{2}-){5}[0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}",
    re.compile(
        rf"[0-9a-f](?=[0-9a-f]{_BYTES}|[0-9a-f]{{3}}\.[0-9a-f]{{4}}\.)"
        r"|m(?=ac-[0-9a-f]{2}-)|e(?=ui-[0-9a-f]{2}-)"
    ),
    lambda _, letters: are_spaced(letters, "-", 3, 3) or are_spaced(letters, ".", 5, 1),
)
SHIELDS: Final = Hint(
    ("pseudonym", "oids"),
    rf"~(?:[{PSEUDONYM_LETTERS}]{{20}}|masked)|1\.3\.6\.1\.",
    re.compile(
        r"\.(?=1\.3\.6\.1\.)|1(?=\.3\.6\.1\.)"
        r"|i(?=msi~|mei~|p~)|s(?=upi~|uci~)|g(?=psi~)|m(?=sisdn~|ac~)|t(?=msi~)|n(?=umber~)"
    ),
    lambda text, _: "~" in text or "1.3.6.1." in text,
)
"""What names nobody and keeps what it spans from being read as if it did."""
HINTS: Final = (WORDS, MACS, SHIELDS)


@functools.cache
def any_hint() -> str:
    """Return the condition that something may be found."""
    return "|".join(f"(?:{text})" for text in (*NUMBERS, WORDS.text, MACS.text, SLOW))
