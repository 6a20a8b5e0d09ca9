"""The hook in the way of a request: what carries raw records or names an incident goes on as digests, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from cellwright.errors import CellwrightError, Diagnostic
from cellwright.gateway.filter_policy import LEAST_BUDGET, Filtered, FilterMode, Unread
from cellwright.gateway.filtering.locate import INCIDENT, Locator
from cellwright.gateway.wire import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cellwright.digest.tokens import TokenCounter
    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.exchange import Exchange
    from cellwright.gateway.filter_policy import FilterPolicy
    from cellwright.gateway.filtering.locate import Stretch
    from cellwright.gateway.filtering.tell import Told
    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.routing.route import DecisionTable
    from cellwright.gateway.wire import JsonObject, ModelRequest

    Leaves = Callable[[str, "SensitivityClass"], bool]  # whether a model and class may lead off the premises

_NAMED: Final = re.compile(re.escape(INCIDENT) + r"([A-Za-z0-9]{8,64})")
_OWN: Final = ("model", "messages")  # members of a request that are looked at by themselves, or replaced
_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")
_REMEMBERED: Final = 256  # digests of records that come again, as they do with each turn of a conversation
_HASH_LETTERS: Final = 16  # of a ledger's hash, in headers
_NAMED_DIGESTS: Final = 16  # in headers, at most
_AS_THEY_ARE: Final = "as they are"  # runs of records that no digest stands for
_UNREADABLE: Final = "(records that could not be read were left out at the edge)"


class Desk(Protocol):
    """What the filter may ask for; wiring fills it. Everything is called in the filter's own thread."""

    @property
    def locator(self) -> Locator:
        """Return what finds the records that the desk reads."""
        ...

    def tell(self, raw: bytes, tenant: str, budget: int) -> Told | None:
        """Return the digest of the records in `raw`, of at most `budget` tokens; None where no format reads it."""
        ...

    def keep(self, raw: bytes, tenant: str) -> bool | None:
        """Store the originals for `cellwright digest open`; return whether they are there, None where none are kept."""
        ...

    def without_identifiers(self, text: str, tenant: str) -> str:
        """Return a text with pseudonyms in place of identifiers."""
        ...

    def incident(self, name: str, tenant: str, budget: int) -> Told | None:
        """Return the digest of an incident of the lake, None where there is none that the tenant may see."""
        ...


@dataclass(slots=True)
class _Books:
    """The sums over the runs of records of one request."""

    counts: dict[str, int]
    before: int = 0
    after: int = 0
    left_out: int = 0
    unread: int = 0
    digests: dict[str, str] | None = None
    kept: bool | None = None

    def add(self, told: Told) -> None:
        for kind, number in told.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + number
        self.left_out += told.left_out
        self.unread += told.unread
        self.digests = (self.digests or {}) | {each.name: each.sha256 for each in told.digests}

    def close(self) -> Filtered:
        names = tuple(f"{name}={sha256[:_HASH_LETTERS]}" for name, sha256 in (self.digests or {}).items())
        return Filtered(
            self.counts, self.before, self.after, self.left_out, self.unread, names[:_NAMED_DIGESTS], self.kept
        )


class EdgeFilter:
    """A filter of the pipeline; ordinary requests pass after one look at each of their texts.

    `policies` by the name clients ask for as a model, `presumed` the class of a request that names none, `leaves` tells
    whether a model and a class may lead off the premises.
    """

    def __init__(
        self,
        desk: Desk,
        counter: TokenCounter,
        policies: Mapping[str, FilterPolicy],
        presumed: Mapping[str, SensitivityClass],
        leaves: Leaves,
    ) -> None:
        self._desk = desk
        self._counter = counter
        self._policies = policies
        self._presumed = presumed
        self._leaves = leaves
        self._locator = desk.locator
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gateway-filter")
        self._known: OrderedDict[tuple[str, str, int], Told | None] = OrderedDict()

    async def __call__(self, exchange: Exchange, request: ModelRequest) -> ModelRequest:
        """Return the request that goes on; raise ApiError (403) where its records may not, or cannot be digested."""
        policy = self._policies.get(request.model)
        if policy is None or policy.mode is FilterMode.OFF or not self._suspects(request.body):
            return request
        named = exchange.data_class or self._presumed[request.model]
        after = policy.becomes.get(named, named)
        leaves = self._leaves(request.model, after)
        if not leaves and not policy.on_premises and not _names_incident(request.body):
            return request
        work = _Work(self._desk, self._locator, self._counter, policy, exchange.key.tenant, leaves, self._digest)
        loop = asyncio.get_running_loop()
        changed, filtered = await loop.run_in_executor(self._thread, work.run, request.body)
        if filtered is None:
            return request
        exchange.filtered = filtered
        if after is not named and _AS_THEY_ARE not in filtered.counts and not _has_more_than_text(changed):
            exchange.data_class = after
        return replace(request, body=changed)

    def _suspects(self, body: JsonObject) -> bool:
        suspects = self._locator.suspects
        for message in _messages(body):
            content = message.get("content")
            if type(content) is str and len(message) == 2:  # noqa: PLR2004 - role and content: what most messages are
                if suspects(content):
                    return True
            elif any(suspects(text) for text in _texts(message)) or suspects(_as_text(_beyond(message))):
                return True
        beside = _beside(body)
        return bool(beside) and suspects(_as_text(beside))

    def _digest(self, raw: str, tenant: str, budget: int) -> Told | None:
        """Return the digest of a run of records, None where no format reads it."""
        data = raw.encode(errors="replace")
        key = (hashlib.sha256(data).hexdigest(), tenant, budget)
        if key not in self._known:
            self._known[key] = self._desk.tell(data, tenant, budget)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


def edge_filter(config: GatewayConfig, table: DecisionTable, desk: Desk, counter: TokenCounter) -> EdgeFilter:
    """Return the filter of a configuration: each route with its own policy, or the gateway's."""
    own = {route.name: route.filter for route in config.routes if route.filter}
    policies = {model: own.get(model, config.filter) for model in table.presumed}
    outside = {spec.name for spec in config.backends if not spec.on_premises}

    def leaves(model: str, data_class: SensitivityClass) -> bool:
        decision = table.decide(model, data_class)
        return decision is not None and not outside.isdisjoint(decision.allowed)

    return EdgeFilter(desk, counter, policies, table.presumed, leaves)


@dataclass(frozen=True, slots=True)
class _Work:
    """The work on one request, in the filter's thread."""

    desk: Desk
    locator: Locator
    counter: TokenCounter
    policy: FilterPolicy
    tenant: str
    leaves: bool
    digest: Callable[[str, str, int], Told | None]

    def run(self, body: JsonObject) -> tuple[JsonObject, Filtered | None]:
        """Return the body that goes on and what was made of it, None where nothing had to be."""
        if self.leaves:
            self._check_beside(body)
        slots = [slot for message in _messages(body) for slot in _texts(message)]
        found = {text: self.locator.stretches(text) for text in slots}
        runs = dict.fromkeys(text[each.start : each.end] for text, those in found.items() for each in those)
        if runs and self.policy.mode is FilterMode.REFUSE and self.leaves:
            raise _denied("raw_records", "the request carries raw records, and this route sends none off the premises")
        names = {name for text in slots for name in _NAMED.findall(text)}
        if not runs and not names:
            return body, None
        books = _Books({})
        share = self._share(len(runs) + len(names))
        written = {run: self._in_place_of(run, share, books) for run in runs} if self._filters_runs else {}
        told = {name: self._incident(name, share, books) for name in sorted(names)}
        new = {text: self._text(text, found[text], written, told) for text in found}
        changed = [_with_texts(message, new) for message in _messages(body)]
        return body | {"messages": changed}, books.close()

    @property
    def _filters_runs(self) -> bool:
        return self.leaves or self.policy.on_premises

    def _share(self, runs: int) -> int:
        """Return the tokens of one run of records."""
        share = self.policy.budget // runs
        if share < LEAST_BUDGET:
            message = (
                f"the request has {runs} runs of raw records: more than {self.policy.budget} tokens hold digests of"
            )
            raise _denied("too_many_records", message)
        return share

    def _in_place_of(self, run: str, budget: int, books: _Books) -> str:
        """Return what stands in place of a run of records; raise ApiError where policy refuses it."""
        tokens = self.counter.count(run)
        least = self.policy.min_tokens
        told = self.digest(run, self.tenant, budget) if tokens >= least else None
        if told is None and tokens < least:
            return self._small(run, tokens, books)
        if told is None or told.unread:
            self._refuse_unread(told)
        if told is None:
            books.unread += 1
            return self._counted(_UNREADABLE, tokens, books)
        if least and told.tokens >= tokens and not told.unread:
            return self._small(run, tokens, books)
        books.add(told)
        kept = self.desk.keep(run.encode(errors="replace"), self.tenant)
        books.kept = kept if books.kept is None or kept is None else books.kept and kept
        return self._counted(f"\n{told.text}\n\n", tokens, books)

    def _small(self, run: str, tokens: int, books: _Books) -> str:
        """Return records of which a digest would be no shorter: as they are, without identifiers."""
        books.counts[_AS_THEY_ARE] = books.counts.get(_AS_THEY_ARE, 0) + 1
        return self._counted(self.desk.without_identifiers(run, self.tenant), tokens, books)

    def _counted(self, text: str, tokens: int, books: _Books) -> str:
        books.before += tokens
        books.after += self.counter.count(text)
        return text

    def _refuse_unread(self, told: Told | None) -> None:
        if self.leaves and self.policy.unread is Unread.REFUSE:
            what = "no installed format reads them" if told is None else f"{told.unread} of them cannot be read"
            message = f"the request carries raw records, and {what}: nothing was sent"
            raise _denied("unreadable_records", message)

    def _incident(self, name: str, budget: int, books: _Books) -> str:
        try:
            told = self.desk.incident(name, self.tenant, budget)
        except CellwrightError as error:
            text = f"incident {name} cannot be looked up: {error.diagnostics[0].code}"
            raise ApiError(Diagnostic("incident_unavailable", text), status=503, kind="server_error") from None
        if told is None:
            raise invalid(
                "unknown_incident", f"there is no incident {name} that this key may see", "messages", status=404
            )
        books.add(told)
        books.before += told.raw_tokens
        books.after += told.tokens
        return f"\n{told.text}\n\n"

    def _text(
        self, text: str, stretches: Sequence[Stretch], written: Mapping[str, str], told: Mapping[str, str]
    ) -> str:
        """Return a text with digests in place of records and of names of incidents, and without identifiers."""
        pieces: list[str] = []
        place = 0
        for each in stretches if written else ():
            pieces += [self._prose(text[place : each.start], told), written[text[each.start : each.end]]]
            place = each.end
        return "".join([*pieces, self._prose(text[place:], told)])

    def _prose(self, text: str, told: Mapping[str, str]) -> str:
        if not text or text.isspace():
            return text
        clean = self.desk.without_identifiers(text, self.tenant)
        if self.leaves and self.policy.unread is Unread.REFUSE and self.locator.suspects(_NAMED.sub("", clean)):
            raise _denied("unreadable_records", "records stand in a text so that they cannot be told apart from it")
        return _NAMED.sub(lambda name: told[name[1]], clean)

    def _check_beside(self, body: JsonObject) -> None:
        """Raise ApiError where records stand outside the texts of messages, where nothing is digested."""
        beside = [_beside(body), *(_beyond(message) for message in _messages(body))]
        if any(each and self.locator.suspects(_as_text(each)) for each in beside):
            raise _denied("raw_records", "raw records stand outside the texts of messages: nothing was sent")


def _messages(body: JsonObject) -> list[JsonObject]:
    """Return the messages of a request; inputs of embeddings have none, and stand beside."""
    found: list[JsonObject] = body.get("messages", [])
    return found


def _names_incident(body: JsonObject) -> bool:
    return any(INCIDENT in text for message in _messages(body) for text in _texts(message))


def _texts(message: JsonObject) -> Iterator[str]:
    """Yield the texts of a message that may be replaced."""
    for name in _TEXTS:
        content = message.get(name)
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            yield from (part["text"] for part in content if _is_text(part))


def _with_texts(message: JsonObject, new: Mapping[str, str]) -> JsonObject:
    """Return a message with other texts; unchanged ones are shared."""
    changed = dict(message)
    for name in _TEXTS:
        content = message.get(name)
        if isinstance(content, str):
            changed[name] = new[content]
        elif isinstance(content, list):
            changed[name] = [part | {"text": new[part["text"]]} if _is_text(part) else part for part in content]
    return changed


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _beyond(message: JsonObject) -> JsonObject:
    """Return what a message holds beside its texts: tool calls, and parts that are none."""
    beyond = {name: value for name, value in message.items() if name not in _TEXTS and name != "role"}
    for name in _TEXTS:
        content = message.get(name)
        if isinstance(content, list):
            beyond[name] = [part for part in content if not _is_text(part)]
    return beyond


def _beside(body: JsonObject) -> JsonObject:
    """Return what of a request may hold text beside its messages; nothing keeps a client to what a member is for."""
    return {name: value for name, value in body.items() if isinstance(value, str | list | dict) and name not in _OWN}


def _as_text(value: JsonObject) -> str:
    """Return JSON as text with its line ends, and once more with a line for each string: records begin one."""
    if not value:
        return ""
    try:
        text = orjson.dumps(value).decode().replace("\\n", "\n")
    except TypeError:  # the one thing that was read and cannot be written
        raise invalid("invalid_json", "the body is nested too deeply to be looked through") from None
    return text + "\n" + text.replace('"', "\n")


def _has_more_than_text(body: JsonObject) -> bool:
    """Return whether a message holds parts, such as pictures, that no digest speaks for."""
    contents: Iterable[object] = (message.get("content") for message in _messages(body))
    return any(isinstance(content, list) and not all(map(_is_text, content)) for content in contents)


def _denied(code: str, message: str) -> ApiError:
    return ApiError(Diagnostic(code, message), status=403, kind="permission_error")
