"""The embedded reasoner: what it says of an incident, and of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest
from gateway_kit import Bench, WordCounter, bench, config, remote, spec
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.causes import CauseGraph, learn
from cellwright.digest.causes_artefact import Learned, to_bytes
from cellwright.digest.causes_onsets import AlarmColumns
from cellwright.digest.fold import Facts, Occurrence, TypeFacts
from cellwright.digest.text import write
from cellwright.errors import DeniedError, StorageError
from cellwright.gateway.diagnosis import diagnose
from cellwright.gateway.keys import hash_key

if TYPE_CHECKING:
    from pathlib import Path

FACTS = Facts(
    incident="k3062121806",
    source="north",
    start_s=1_767_614_400,
    duration_s=42,
    events=9,
    highest="MAJOR",
    types=(
        TypeFacts(
            "LINK DOWN",
            "MAJOR",
            (
                Occurrence("Device=404", 0, 3, cleared=False, root_cause=False),
                Occurrence("Device=381", 1_000_000, 1, cleared=True, root_cause=False),
            ),
        ),
        TypeFacts(
            "BER",
            "MAJOR",
            (
                Occurrence("Device=17", 2_000_000, 4, cleared=True, root_cause=False),
                Occurrence("Device=404", 3_000_000, 1, cleared=True, root_cause=False),
            ),
        ),
    ),
)
DIGEST = write(FACTS)


def ask(gateway: Bench, content: str = DIGEST, **more: object) -> dict[str, object]:
    body = {"model": "cellwright-reasoner", "messages": [{"role": "user", "content": content}], **more}
    response = gateway.ask(body)
    assert response.status == 200, response.body
    return orjson.loads(response.body)  # type: ignore[no-any-return]


def reasoner(**changes: object) -> object:
    return spec(type="reasoner", model="cellwright-reasoner", **changes)


def test_a_digest_is_answered_with_cause_evidence_elements_and_steps() -> None:
    text = diagnose(DIGEST)
    assert "It is not a language model." in text.splitlines()[0]
    assert "9 alarms of 2 types on 3 elements" in text
    assert "Probable root cause: LINK DOWN, first on Device=404" in text
    assert "number 1 of 2 types to begin" in text
    assert "Other candidates: BER, first on Device=17" in text
    assert "Affected elements: Device=17, Device=381, Device=404." in text
    assert "1. Check LINK DOWN on Device=404, then on the others that raised it (1)." in text


def test_words_before_a_digest_do_not_hide_it() -> None:
    assert diagnose(f"What caused this?\n\n{DIGEST}\n") == diagnose(DIGEST)


@pytest.mark.parametrize("text", ["", "Hello", "incident report", "an incident k3062121806 happened"])
def test_what_is_no_digest_is_told_what_can_be_answered(text: str) -> None:
    answer = diagnose(text)
    assert "It is not a language model." in answer
    assert "It can answer one question" in answer


@given(st.text() | st.text(alphabet=DIGEST).map(lambda tail: DIGEST[:200] + tail))
def test_any_text_gets_an_answer_that_says_what_gave_it(text: str) -> None:
    assert "It is not a language model." in diagnose(text)


def test_an_answer_says_in_its_fingerprint_that_it_is_no_language_model(tmp_path: Path) -> None:
    with bench(tmp_path, config(reasoner())) as gateway:
        body = ask(gateway)
        (row,) = gateway.meter.rows()
    text = diagnose(DIGEST)
    assert body["model"] == "cellwright-reasoner"
    assert body["system_fingerprint"] == "deterministic-reasoner-not-a-language-model"
    assert body["choices"] == [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    assert (row.tokens_in, row.tokens_out) == (len(DIGEST.split()), len(text.split()))
    assert row.estimated is not WordCounter.exact


def test_a_streamed_answer_is_the_same_text_word_by_word(tmp_path: Path) -> None:
    body = {
        "model": "auto",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": DIGEST}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with bench(tmp_path, config(reasoner())) as gateway:
        *chunks, usage, done = gateway.ask(body).events
    said = [orjson.loads(chunk)["choices"][0] for chunk in chunks]
    words = [choice["delta"].get("content", "") for choice in said]
    assert "".join(words) == diagnose(DIGEST)
    assert all(len(word.split()) <= 1 for word in words)
    assert (said[0]["delta"]["role"], said[-1]["finish_reason"]) == ("assistant", "stop")
    assert orjson.loads(usage)["usage"]["completion_tokens"] == len(diagnose(DIGEST).split())
    assert done == b"[DONE]"


def test_a_limit_of_tokens_is_kept(tmp_path: Path) -> None:
    with bench(tmp_path, config(reasoner())) as gateway:
        body = ask(gateway, max_tokens=7)
    assert body["choices"][0]["finish_reason"] == "length"  # type: ignore[index]
    assert body["usage"]["completion_tokens"] == 7  # type: ignore[index]


@pytest.mark.parametrize("more", [{"n": 2}, {"max_tokens": 0}, {"max_completion_tokens": "many"}])
def test_what_it_cannot_do_is_refused(tmp_path: Path, more: dict[str, object]) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": DIGEST}], **more}
    with bench(tmp_path, config(reasoner())) as gateway:
        assert gateway.ask(body).status == 400


def test_in_place_of_a_remote_tier_it_is_behind_the_same_guard(tmp_path: Path) -> None:
    def deny(_: str) -> None:
        raise DeniedError.of("identifier-in-egress", "the text was not sent")

    body = {"model": "auto", "messages": [{"role": "user", "content": DIGEST}]}
    with bench(tmp_path, config(remote(type="reasoner")), guard=deny) as gateway:
        response = gateway.ask(body)
    assert (response.status, response.error) == (403, "egress_denied")


def test_a_key_is_known_by_the_hash_that_configurations_hold() -> None:
    assert hash_key("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4


def test_what_was_learned_of_causes_is_weighed_and_told(tmp_path: Path) -> None:
    learned = tmp_path / "causes.json"
    learned.write_bytes(to_bytes(Learned(_taught())))
    with bench(tmp_path, config(reasoner(causes=str(learned)))) as gateway:
        said = ask(gateway)["choices"][0]["message"]["content"]  # type: ignore[index]
    assert "as learned, brings about 0 of 1 other types and is brought about by 1" in said
    assert "as learned, brings about 1 of 1 other types and is brought about by 0" in said
    with_causes = _scores(said)
    with bench(tmp_path, config(reasoner())) as gateway:
        said = ask(gateway)["choices"][0]["message"]["content"]  # type: ignore[index]
    assert "as learned" not in said
    without = _scores(said)
    assert with_causes["BER"] > without["BER"]
    assert with_causes["LINK DOWN"] < without["LINK DOWN"]


@pytest.mark.parametrize("content", [None, b"{}", b"no JSON"])
def test_a_file_of_causes_that_is_none_is_told_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    learned = tmp_path / "causes.json"
    if content is not None:
        learned.write_bytes(content)
    with pytest.raises(StorageError, match=r"causes\.json"), bench(tmp_path, config(reasoner(causes=str(learned)))):
        pass


def _scores(said: str) -> dict[str, float]:
    return {name: float(score) for name, score in re.findall(r"(LINK DOWN|BER), first on \S+ \(score ([0-9.]+)", said)}


def _taught() -> CauseGraph:
    """Return a graph that was taught that BER brings LINK DOWN about, five seconds later, on the same element."""
    random = np.random.default_rng(7)
    began = np.sort(random.integers(0, 40 * 86_400, 400)) * 1_000_000
    elements = random.integers(0, 20, 400)
    after = began + random.integers(4_000_000, 6_000_000, 400)
    codes = np.repeat(np.array([0, 1]), 400)
    return learn(AlarmColumns(("BER", "LINK DOWN"), codes, np.tile(elements, 2), np.concatenate([began, after])))
