"""Rows stored by few statements are the rows given, whatever their number, on every driver."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, MetaData, String, Table, event, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import pg8000, psycopg

from cellwright.store import Insertion, insert_or_update, open_store, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect, Engine
    from sqlalchemy.dialects.sqlite import Insert

TABLES = MetaData()
SUMS = Table("sums", TABLES, Column("name", String, primary_key=True), Column("amount", BigInteger, nullable=False))


def added(insert: Insert) -> Insert:
    return insert.on_conflict_do_update(
        index_elements=["name"], set_={"amount": SUMS.c.amount + insert.excluded.amount}
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_store(sqlite_url(str(tmp_path_factory.mktemp("store") / "x.db")), TABLES)


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 1500), again=st.integers(0, 40))
def test_as_many_rows_as_there_are_come_in_and_those_that_are_there_are_added_to(
    engine: Engine, number: int, again: int
) -> None:
    insertion = Insertion(engine, SUMS, added)
    with engine.begin() as connection:
        connection.execute(SUMS.delete())
        insertion.execute(connection, [(f"n{index}", index) for index in range(number)])
        insertion.execute(connection, [(f"n{index}", 1) for index in range(again)])
        found = dict(connection.execute(select(SUMS.c.name, SUMS.c.amount)).all())
    wanted = {f"n{index}": index for index in range(number)}
    assert found == wanted | {f"n{index}": wanted.get(f"n{index}", 0) + 1 for index in range(again)}


def test_a_thousand_rows_take_a_handful_of_statements(engine: Engine) -> None:
    texts: list[str] = []
    insertion = Insertion(engine, SUMS, added)
    event.listen(engine, "before_cursor_execute", lambda *told: texts.append(told[2]))
    with engine.begin() as connection:
        insertion.execute(connection, [(f"m{index}", index) for index in range(1000)])
    assert len(texts) <= 10
    assert max(text.count("?") for text in texts) <= 999  # what older builds of SQLite take


class Recording:
    """A connection that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Any]]] = []

    def exec_driver_sql(self, text: str, values: list[Any]) -> None:
        self.asked.append((text, values))


@pytest.mark.parametrize("completed", [None, added])
@pytest.mark.parametrize("dialect", [sqlite.dialect(), pg8000.dialect(), psycopg.dialect()], ids=lambda d: d.driver)
def test_a_statement_is_the_one_that_sqlalchemy_writes_with_its_values_row_by_row(
    dialect: Dialect, completed: Callable[[Insert], Insert] | None
) -> None:
    rows = [(f"n{index}", index) for index in range(7)]
    connection = Recording()
    Insertion(SimpleNamespace(dialect=dialect), SUMS, completed).execute(connection, rows)  # type: ignore[arg-type]
    for (text, (values,)), part in zip(connection.asked, (rows[:4], rows[4:6], rows[6:]), strict=True):
        written = insert_or_update(SimpleNamespace(dialect=dialect), SUMS)  # type: ignore[arg-type]
        written = written.values([{"name": "", "amount": 0}] * len(part))
        compiled = (completed(written) if completed else written).compile(dialect=dialect)
        assert text == str(compiled)
        flat = [value for row in part for value in row]
        assert list(values.values() if isinstance(values, dict) else values) == flat
        assert set(values) == set(compiled.params) if isinstance(values, dict) else len(values) == len(compiled.params)
