"""The limit of the time that a request may take, and who else may cancel it."""

from __future__ import annotations

import asyncio

import pytest

from cellwright.gateway.timelimit import TimeLimit
from cellwright.gateway.wire import ApiError


def test_what_takes_too_long_is_refused_and_nothing_of_the_cancelling_stays() -> None:
    async def main() -> int:
        limit = TimeLimit(0.0)
        with pytest.raises(ApiError, match="no whole answer within 0 s") as refused, limit:
            await asyncio.Event().wait()
        assert (refused.value.status, refused.value.code, limit.expired()) == (504, "timeout", True)
        await asyncio.sleep(0)  # would be cut short were the task still being cancelled
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(main()) == 0


def test_what_is_in_time_is_left_alone() -> None:
    async def main() -> bool:
        limit = TimeLimit(60.0)
        with limit:
            await asyncio.sleep(0)
        return limit.expired()

    assert asyncio.run(main()) is False


def test_what_somebody_else_cancels_is_no_timeout() -> None:
    limit = TimeLimit(60.0)

    async def work() -> None:
        with limit:
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not limit.expired()


def test_who_is_cancelled_by_somebody_else_too_is_cancelled() -> None:
    async def work() -> None:
        with TimeLimit(0.0):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                raise

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(work())

    asyncio.run(main())


def test_an_error_of_the_work_is_told_as_it_is() -> None:
    async def main() -> None:
        with pytest.raises(KeyError), TimeLimit(60.0):
            raise KeyError

    asyncio.run(main())
