"""Collections at another site: the gateway there is asked to search, and only passages come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.knowledge.store import Hit
from cellwright.gateway.knowledge.travel import Found, Passage
from cellwright.gateway.wire import CLASS_HEADER

if TYPE_CHECKING:
    from cellwright.gateway.knowledge_spec import KnowledgeSpec
    from cellwright.gateway.remote import Remote
    from cellwright.gateway.wire import JsonObject

_STRICTEST: Final = SensitivityClass.SUBSCRIBER_PII  # of passages of which the site does not say it


class RemoteSite:
    """The gateway of another site; it applies its own rules to the key that this one holds."""

    def __init__(self, spec: KnowledgeSpec, remote: Remote, base_url: str, api_key: str | None) -> None:
        self._spec = spec
        self._remote = remote
        self._url = base_url
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def boundary(self) -> Boundary:
        """Within which boundary the site stands: what is asked goes there."""
        return self._spec.boundary

    async def search(self, collection: str, body: JsonObject, data_class: SensitivityClass) -> Found:
        """Return what the site finds in a collection by its id there; raises ApiError.

        The site is told the class of the query, so that its own rules hold for what it does with it.
        """
        url = f"{self._url}/vector_stores/{quote(collection, safe='')}/search"
        response = await self._remote.post(url, self._headers | {CLASS_HEADER: data_class.value}, body)
        with response, self._remote.failures():
            return _read(await self._remote.read(response), f"{self._spec.name}.{collection}")


def _read(raw: bytes, source: str) -> Found:
    """Return what a page of results holds; raise ValueError for what is none."""
    page = orjson.loads(raw)
    entries = page.get("data") if isinstance(page, dict) else None
    if entries is None or not isinstance(entries, list):
        msg = "no page of results"
        raise ValueError(msg)
    said = page.get("cellwright")
    own = said if isinstance(said, dict) else {}
    data_class, held_back = own.get("data_class"), own.get("held_back")
    known = SensitivityClass(data_class) if data_class in list(SensitivityClass) else _STRICTEST
    passages = tuple(Passage(_hit(entry), known, source) for entry in entries)
    return Found(passages, held_back if isinstance(held_back, int) and held_back > 0 else 0)


def _hit(entry: Any) -> Hit:  # noqa: ANN401 - JSON of another
    try:
        texts = [part["text"] for part in entry["content"]]
        attributes = entry.get("attributes") or {}
        return Hit(
            str(entry["file_id"]), str(entry["filename"]), dict(attributes), 0, "\n".join(texts), float(entry["score"])
        )
    except (KeyError, TypeError, AttributeError) as error:
        msg = "a result without its parts"
        raise ValueError(msg) from error
