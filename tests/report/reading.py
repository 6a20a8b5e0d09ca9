"""Reads a page the way a strict browser would: what it nests wrongly, what it would load, what it runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_LOADING = frozenset({"src", "href", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href"})
_URL = re.compile(r"url\(|@import|image-set\(", re.IGNORECASE)


class Reader(HTMLParser):
    """What a page consists of; `faults` holds wrong nesting and repeated attributes or ids."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: set[str] = set()
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.faults += [f"never closed: {tag}" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style" and _URL.search(data):
            self.faults.append("the style loads something")
        self.text.append(data)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if len({name for name, _ in attrs}) != len(attrs):
            self.faults.append(f"an attribute of {tag} is repeated at {self.getpos()}")
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name in _LOADING:
                self.addresses.append((tag, value or ""))
            if name == "id":
                if value in self.ids:
                    self.faults.append(f"id {value} is repeated")
                self.ids.add(value or "")

    @property
    def words(self) -> str:
        """The visible text with single spaces."""
        return " ".join(" ".join(self.text).split())
