"""The last look at a text before it leaves: it fails closed."""

from __future__ import annotations

from collections import Counter

from cellwright.errors import DeniedError
from cellwright.privacy.glance import doubtful_lines
from cellwright.privacy.identifiers import find


def guard_egress(text: str) -> None:
    """Return when `text` names nobody; raise DeniedError that counts what it names by kind and quotes none of it."""
    doubtful = doubtful_lines(text)
    if doubtful and (kinds := Counter(match.kind.value for line in doubtful for match in find(line))):
        named = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        raise DeniedError.of(
            "identifier-in-egress",
            f"the text was not sent: it still holds identifiers ({named})",
            expected="pseudonyms such as imsi~…, and times as ISO 8601 rather than long numbers",
            hint="pseudonymise the text before it is sent",
        )
