"""Blocking work is never left amid what it does."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cellwright.gateway.threads import to_its_end


@pytest.mark.parametrize("failure", [None, ZeroDivisionError()])
def test_whoever_is_cancelled_waits_for_the_end_of_the_work(failure: Exception | None) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work(given: str) -> str:
        begun.set()
        go.wait(10)
        ended.set()
        if failure is not None:
            raise failure
        return given

    async def main() -> None:
        task = asyncio.create_task(to_its_end(work, "x"))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(main())


def test_what_the_work_comes_to_is_returned_or_raised() -> None:
    assert asyncio.run(to_its_end(int, "5")) == 5
    with pytest.raises(ValueError, match="invalid"):
        asyncio.run(to_its_end(int, "five"))
