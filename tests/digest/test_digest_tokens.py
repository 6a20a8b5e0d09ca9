from __future__ import annotations

import warnings

import pytest
from alarm_tables import TABLES_OF_ROWS, alarm_table, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.alarms import alarms_of
from cellwright.digest.render_csv import render_csv
from cellwright.digest.render_ves import batch_tokens, render_ves, ves_tokens
from cellwright.digest.tokens import EstimatingCounter, ExactCounter, exact_counter, token_counter

EXACT = exact_counter()
needs_tokenizer = pytest.mark.skipif(EXACT is None, reason="the optional package bpe-openai is not installed")

STORM = alarms_of(
    alarm_table(
        simple(7.5 * n, f"ManagedElement=gNB-{n % 17:03},GNBDUFunction=1,NRCellDU={n % 3}", f"LINK_DOWN {n % 5}")
        for n in range(120)
    )
)
SAMPLES = {
    "ves": render_ves(STORM),
    "csv": render_csv(STORM),
    "prose": "The alarm was raised when the transport link between the two cabinets lost its signal. " * 9,
    "syslog": "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0 euid=0 tty=ssh " * 9,
    "hexadecimal": "de305d54-75b4-431b-adb2-eb6b9e546014 cc305d5475b4431badb2eb6b9e541234\n" * 20,
    "xml": '<measValue measObjLdn="NRCellDU=1"><r p="1">813</r><r p="2">NIL</r></measValue>\n' * 20,
    "capitals": "LOSS_OF_SIGNAL CELL_UNAVAILABLE POWER_FAILURE HIGH_TEMPERATURE AMF_UNREACHABLE\n" * 20,
}


@needs_tokenizer
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_estimate_is_never_more_than_a_tenth_below_the_tokenizer(sample: str) -> None:
    assert 0.9 <= EstimatingCounter().count(sample) / EXACT.count(sample) <= 1.6


@needs_tokenizer
def test_known_texts_have_the_tokenizers_counts() -> None:
    assert EXACT.name == "o200k_base"
    assert [EXACT.count(text) for text in ("", "Device=404", "incident 482917365012", "<|endoftext|>")] == [0, 3, 6, 7]


@needs_tokenizer
@pytest.mark.parametrize("text", [SAMPLES["ves"], SAMPLES["csv"], SAMPLES["prose"].replace(". ", ".\n")])
def test_long_texts_count_as_the_sum_of_their_blocks(text: str) -> None:
    long = (text + "\n") * (200_000 // len(text))
    assert EXACT.count(long) == len(EXACT.encode(long))


@needs_tokenizer
def test_texts_past_the_tokenizers_limit_are_counted() -> None:
    assert EXACT.count("alarm\n" * 400_000) == 800_000


@needs_tokenizer
@given(TABLES_OF_ROWS)
def test_events_counted_one_by_one_sum_to_the_rendered_batch(table: object) -> None:
    alarms = alarms_of(table)
    summed = batch_tokens(EXACT) + sum(ves_tokens(alarm, EXACT) for alarm in alarms)
    assert summed == EXACT.count(render_ves(alarms))


@given(st.text())
def test_the_estimate_counts_any_text(text: str) -> None:
    assert 0 <= EstimatingCounter().count(text) <= 2 * len(text)


def test_a_counter_says_whether_it_is_exact() -> None:
    assert (EstimatingCounter().name, EstimatingCounter().exact) == ("estimate", False)
    assert ExactCounter("letters", list).exact
    assert token_counter().exact == (EXACT is not None)


@needs_tokenizer
@given(st.text(max_size=300))
def test_the_compiled_half_of_the_tokenizer_counts_as_the_whole_does(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import bpe_openai  # noqa: PLC0415 - optional
    said = bpe_openai.get_encoding("o200k_base").encode_ordinary(text + "<|endoftext|>")
    assert token_counter().count(text + "<|endoftext|>") == len(said)
