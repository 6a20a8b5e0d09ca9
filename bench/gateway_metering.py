"""How exact the gateway's meter is on streams that go well and streams that break.

A model server on the loopback interface answers each request as a dice roll with a seed says: with usage at the end,
in every chunk (as vLLM's continuous_usage_stats), twice, nowhere, as nonsense or as zeros; whole, ended early or reset;
and some clients hang up midway. It keeps its own count, in words, which is also how the gateway is told to count. A
stream is metered exactly where the row is what the server said. Where it said nothing, the tokens are counted by the
gateway and marked as an estimate: all that was sent where the stream is whole, else no less than the client got and no
more than was sent. Each stream has one row, and the rows sum to the total.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import platform
import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson
from aiohttp import web

from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.keys import hash_key
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.model import AccessKey, BackendSpec, GatewayConfig, Limits, Route
from cellwright.gateway.serve import running
from cellwright.gateway.server import create_app
from cellwright.store import sqlite_url
from rows import Row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from cellwright.gateway.metering.row import MeterRow

QUICK: Final = 300
KEY: Final = "a-key-for-measuring"
USAGES: Final = ("last", "every", "twice", "absent", "nonsense", "zeros")
ENDS: Final = ("whole", "whole", "whole", "early", "reset", "client")  # a half is whole
NONSENSE: Final = ({"prompt_tokens": "many", "completion_tokens": -1}, "none", [1, 2])
CACHED: Final = 2


class WordCounter:
    """Counts words, as the model server does."""

    name = "words"
    exact = True

    def count(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())


@dataclass(frozen=True, slots=True)
class Plan:
    """What one stream does."""

    usage: str
    ends: str
    words: int  # of the whole answer, one a chunk
    cut: int  # chunks before it breaks off
    prompt: int  # words

    @property
    def sent(self) -> int:
        """The words that the server sends."""
        return self.words if self.ends in {"whole", "client"} else self.cut

    @property
    def stated(self) -> range:
        """The tokens out that the server says at one time or another."""
        if self.usage == "every":
            return range(1, self.sent + 1)
        ends = self.usage in {"last", "twice"} and self.ends in {"whole", "client"}
        return range(self.words, self.words + 1) if ends else range(0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One stream, as the client, the server and the meter saw it."""

    plan: Plan
    read: int  # words that the client got
    row: MeterRow | None

    @property
    def verdict(self) -> str:
        """What the meter made of it: exact, counted, or what is wrong."""
        row, plan = self.row, self.plan
        if row is None:
            return "no row"
        if row.tokens_in != plan.prompt:
            return "wrong tokens in"
        if row.estimated:
            if plan.stated and (plan.ends == "whole" or (plan.usage == "every" and row.tokens_out)):
                return "estimated although stated"
            least = plan.words if plan.ends == "whole" else self.read
            return "counted" if least <= row.tokens_out <= plan.sent else "outside what was heard"
        exact = row.tokens_out in plan.stated and row.tokens_cached == min(CACHED, plan.prompt)
        return "exact" if exact and row.tokens_out >= self.read else "not what was stated"


def plans(count: int, seed: int) -> list[Plan]:
    """Return what each stream does."""
    chance = random.Random(seed)  # noqa: S311 - a dice roll that can be repeated
    found = []
    for _ in range(count):
        words = chance.randint(3, 40)
        cut = chance.randint(1, words - 1)
        found.append(Plan(chance.choice(USAGES), chance.choice(ENDS), words, cut, chance.randint(1, 60)))
    return found


def stated(plan: Plan, words: int) -> dict[str, Any]:
    """Return usage as the server says it after so many words."""
    if plan.usage == "zeros":
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    cached = {"prompt_tokens_details": {"cached_tokens": min(CACHED, plan.prompt)}}
    return {"prompt_tokens": plan.prompt, "completion_tokens": words, "total_tokens": plan.prompt + words} | cached


def events(plan: Plan) -> list[bytes]:
    """Return the events of a whole answer."""
    found: list[dict[str, Any]] = []
    for number in range(1, plan.words + 1):
        reason = "stop" if number == plan.words else None
        choice = {"index": 0, "delta": {"content": f"w{number} "}, "finish_reason": reason}
        found.append({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})
        if plan.usage == "every" or (plan.usage == "twice" and reason):
            found[-1]["usage"] = stated(plan, number)
    if plan.usage == "nonsense":
        found.append({"id": "c", "choices": [], "usage": NONSENSE[plan.words % len(NONSENSE)]})
    elif plan.usage != "absent":
        found.append({"id": "c", "choices": [], "usage": stated(plan, plan.words)})
    return [b"data: %b\n\n" % orjson.dumps(item) for item in found]


@contextlib.asynccontextmanager
async def upstream(waiting: dict[int, asyncio.Event], planned: Sequence[Plan]) -> AsyncIterator[str]:
    """Serve the planned answers; the prompt's first word is the number of its plan."""

    async def answer(request: web.Request) -> web.StreamResponse:
        number = int((await request.json(loads=orjson.loads))["messages"][0]["content"].split()[0])
        plan = planned[number]
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for place, event in enumerate(events(plan)):
            if place == plan.cut and plan.ends != "whole":
                if plan.ends == "client":
                    await waiting[number].wait()
                elif request.transport is not None:
                    request.transport.close() if plan.ends == "early" else request.transport.abort()
                    return response
            await response.write(event)
        await response.write(b"data: [DONE]\n\n")
        return response

    application = web.Application()
    application.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def ask(
    session: aiohttp.ClientSession, url: str, number: int, plan: Plan, waiting: dict[int, asyncio.Event]
) -> tuple[str, int]:
    """Return the id of a request and the words that came; hang up midway where the plan says so."""
    prompt = " ".join([str(number), *(["word"] * (plan.prompt - 1))])
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": prompt}]}
    read = 0
    response = await session.post(f"{url}/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})
    identity = response.headers.get("x-request-id", "")
    try:
        async for line in response.content:
            read += line.count(b'"content":"w')
            if plan.ends == "client" and read >= plan.cut:
                break
    finally:
        waiting[number].set()
        response.close()
    return identity, read


async def converse(url: str, planned: Sequence[Plan], waiting: dict[int, asyncio.Event], at_once: int) -> list[Any]:
    """Ask for all streams, so many at once."""
    room = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(number: int, plan: Plan) -> tuple[str, int]:
            async with room:
                return await ask(session, url, number, plan, waiting)

        return await asyncio.gather(*(one(number, plan) for number, plan in enumerate(planned)))


def measure(streams: int, seed: int, at_once: int, folder: Path) -> tuple[list[Outcome], int]:
    """Return what became of each stream, and how many rows are wrong in sum: those missing, doubled or not summed."""
    planned = plans(streams, seed)
    waiting = {number: asyncio.Event() for number in range(streams)}

    async def main() -> tuple[list[Any], list[MeterRow], int]:
        async with upstream(waiting, planned) as model:
            backend = BackendSpec("edge", "openai", "words", Tier.ONPREM, Boundary.PREMISES, base_url=model, retries=0)
            config = GatewayConfig(
                keys=(AccessKey("bench", "bench", hash_key(KEY)),),
                backends=(backend,),
                routes=(Route("auto", ("edge",)),),
                rules=(),
                data_class=SensitivityClass.ANONYMISED,
                limits=Limits(connections=4 * at_once + 100),
            )
            with Meter(sqlite_url(str(folder / "meter.db"))) as meter:
                app = create_app(config, guard=lambda _: None, counter=WordCounter(), meter=meter, secrets={})
                with running(app) as url:
                    found = await converse(url, planned, waiting, at_once)
                rows = list(meter.rows())
                (total,) = meter.totals()
                return found, rows, abs(total.tokens_out - sum(row.tokens_out for row in rows))

    found, rows, apart = asyncio.run(main())
    by_id = {row.request_id: row for row in rows}
    outcomes = [Outcome(plan, read, by_id.get(identity)) for plan, (identity, read) in zip(planned, found, strict=True)]
    return outcomes, apart + abs(len(rows) - streams)


def report(outcomes: Sequence[Outcome], apart: int, took_s: float) -> list[Row]:
    """Return the shares by what the server said."""
    rows = []
    for usage in USAGES:
        verdicts = Counter(item.verdict for item in outcomes if item.plan.usage == usage)
        right = verdicts["exact"] + verdicts["counted"]
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
        rows.append(
            Row(f"usage {usage}", "streams metered right", "share", right / max(1, verdicts.total()), spread=told)
        )
    verdicts = Counter(item.verdict for item in outcomes)
    right = verdicts["exact"] + verdicts["counted"]
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    rows.append(Row("all", "streams metered right", "share", right / len(outcomes), spread=told))
    rows.append(Row("all", "rows missing, doubled or beside the sum", "rows", apart, higher_is_better=False))
    rows.append(Row("all", "streams a second, client and server included", "1/s", len(outcomes) / took_s))
    return rows


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    streams = QUICK if asked.quick else asked.streams
    outcomes: list[Outcome] = []
    apart, began = 0, time.perf_counter()
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            found, wrong = measure(streams, seed, asked.at_once, Path(folder))
        outcomes += found
        apart += wrong
    rows = report(outcomes, apart, time.perf_counter() - began)
    for row in rows:
        print(f"{row.case:16} {row.figure:45} {row.ours:10.4f} {row.unit:6} {row.spread}")
    if asked.json:
        print(
            json.dumps(
                {"bench": "gateway_metering", "machine": platform.platform(), "rows": [asdict(row) for row in rows]}
            )
        )


if __name__ == "__main__":
    main()
