"""Names as documents allow them: lowercase letters, digits and inner hyphens, at most 63 (RFC 1123 label), unique.

The rule: accents go, every run of other characters becomes one hyphen, the rest is cut; a name of which nothing is left
(a script without Latin letters) becomes its kind and number; the second of two equal names gets -2.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NAME_LENGTH: Final = 63
_TEXT_LENGTH: Final = 200
_PLAIN: Final = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "o", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ł": "l", "Ł": "l", "đ": "d"}
    | {"Đ": "d", "ð": "d", "Ð": "d", "þ": "th", "Þ": "th", "ı": "i", "ħ": "h", "Ħ": "h"}  # noqa: RUF001 - meant
)
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def slug(text: str) -> str:
    """Return the nearest valid name, or "" where nothing of the text is left."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _OTHER.sub("-", letters.lower()).strip("-")[:NAME_LENGTH].strip("-")


def plain(text: str) -> str:
    """Return text for a label or message: one line, no control characters, at most 200 characters."""
    kept = _SPACE.sub(" ", text[: 5 * _TEXT_LENGTH]).strip()
    clean = kept if kept.isprintable() else "".join(filter(str.isprintable, kept))
    return clean if len(clean) <= _TEXT_LENGTH else f"{clean[: _TEXT_LENGTH - 3]}..."


class Names:
    """Gives every thing of one kind its own valid name, in the order asked."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def give(self, text: str) -> str:
        """Return a valid name for `text` that nothing else has."""
        wanted = slug(text)
        if wanted and wanted not in self._taken:
            self._taken.add(wanted)
            return wanted
        stem = wanted or self._kind
        number = self._next.get(stem, 2 if wanted else 1)
        while (name := f"{stem[: NAME_LENGTH - len(str(number)) - 1].rstrip('-')}-{number}") in self._taken:
            number += 1
        self._next[stem] = number + 1
        self._taken.add(name)
        return name
