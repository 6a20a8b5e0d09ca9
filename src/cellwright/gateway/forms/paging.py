"""Lists in pages, as the OpenAI API has them: `limit`, `after` or `before` the id of an item, and `order`."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from cellwright.gateway.wire import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.gateway.wire import ApiError, JsonObject

ORDERS: Final = ("desc", "asc")


class Listed(Protocol):
    """What a list holds."""

    @property
    def id(self) -> str:
        """Return its name."""
        ...

    @property
    def created_s(self) -> int:
        """Return when it was made, since 1970."""
        ...


T = TypeVar("T", bound=Listed)


@dataclass(frozen=True, slots=True)
class Page:
    """Which items of a list are wanted, the newest first unless `ascending`."""

    limit: int
    after: str | None = None
    before: str | None = None
    ascending: bool = False

    def of(self, every: Sequence[T]) -> tuple[list[T], bool]:
        """Return the items, and whether more follow; raise ApiError (400) for a place that is none."""
        items = sorted(every, key=attrgetter("created_s", "id"), reverse=not self.ascending)
        ids = [item.id for item in items]
        start = 0 if self.after is None else _place(ids, self.after, "after") + 1
        end = len(ids) if self.before is None else _place(ids, self.before, "before")
        between = items[start:end]
        backwards = self.before is not None and self.after is None
        return between[-self.limit :] if backwards else between[: self.limit], len(between) > self.limit


def read_page(query: Mapping[str, str], most: int, usual: int) -> Page:
    """Return the page that the parameters of a call ask for; raise ApiError (400)."""
    limit, order = query.get("limit", str(usual)), query.get("order", ORDERS[0])
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(most)) and 1 <= int(limit) <= most):
        raise invalid("invalid_value", f"limit must be 1 to {most}", "limit")
    if order not in ORDERS:
        raise invalid("invalid_value", f"order must be one of {', '.join(ORDERS)}", "order")
    for param in ("after", "before"):
        if "\0" in query.get(param, ""):
            raise unknown_place(param)
    return Page(int(limit), query.get("after"), query.get("before"), order == ORDERS[1])


def listed(data: Sequence[JsonObject], *, has_more: bool) -> JsonObject:
    """Return a page as clients read it."""
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"object": "list", "data": data, **ends, "has_more": has_more}


def unknown_place(param: str) -> ApiError:
    """Return the error for a page that begins or ends at what is not in the list."""
    return invalid("invalid_value", f"{param} must be the id of an item of the list; it may be gone meanwhile", param)


def _place(ids: Sequence[str], wanted: str, param: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError:
        raise unknown_place(param) from None
