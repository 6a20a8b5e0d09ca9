from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.privacy import columns
from cellwright.privacy.identifiers import Kind, find, read
from cellwright.privacy.pseudonymise import Pseudonymiser

KEY = bytes(range(32))
MASK = Pseudonymiser(KEY)


def digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most)


IMSI = digits(15, 15)
MSISDN = st.builds(lambda first, rest: first + rest, st.sampled_from("23456789"), digits(10, 12))
ADDRESS = st.ip_addresses().filter(lambda address: int(address) != 0)
FORMS = {
    "imsi": (IMSI, ["{0}", "imsi-{0}", "IMSI={0}", "supi: {0}", '"imsi":"{0}"', "%20{0}", "x{0}y", "imsi{0}"]),
    "imei": (digits(16, 16), ["{0}", "imeisv-{0}", "pei={0}", "IMEISV:{0}"]),
    "msisdn": (MSISDN, ["msisdn-{0}", "+{0}", "%2B{0}", "MSISDN={0}", " {0} ", '\\"{0}\\"', "called={0}", "tel:+{0}"]),
    "short msisdn": (digits(8, 9), ["msisdn-{0}", "msisdn={0}", "gpsi: {0}", "phone={0}"]),
    "ip": (ADDRESS.map(str), ["{0}", "[{0}]:80", "ue={0}", "({0})", '"{0}"', "{0}/64", "{0}%eth0"]),
    "long ip": (st.ip_addresses(v=6).map(lambda address: address.exploded.upper()), ["{0}", "UE_{0}", "{0}."]),
}
PLANTED = st.sampled_from(sorted(FORMS)).flatmap(
    lambda kind: st.tuples(FORMS[kind][0], st.sampled_from(FORMS[kind][1]))
)
# Digits, hexadecimal letters and what joins them would make another number of the planted one.
CONTEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Nd", "Cs"), exclude_characters="abcdefABCDEF:.%-_+~")
)


def joined(groups: list[int]) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(":".join(f"{group:x}" for group in groups))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(CONTEXT, PLANTED), min_size=1, max_size=3), CONTEXT)
def test_no_planted_identifier_survives(pieces: list[tuple[str, tuple[str, str]]], tail: str) -> None:
    text = "".join(f"{context} {form.format(value)} " for context, (value, form) in pieces) + tail
    clean = MASK.text(text)
    assert [value for _, (value, _) in pieces if value in clean] == []
    assert MASK.text(clean) == clean
    assert find(clean) == ()


@given(st.text(alphabet="0123456789abcdef:.+-/ %@=imsdnpe~\\", max_size=80))
def test_applying_it_twice_changes_nothing_and_leaves_nothing_to_find(text: str) -> None:
    clean = MASK.text(text)
    assert MASK.text(clean) == clean
    assert find(clean) == ()


@given(st.lists(st.none() | st.text(alphabet="0123456789abc:.+- @=imsdnp\u0663", max_size=40), max_size=8))
def test_an_array_becomes_what_its_texts_become(texts: list[str | None]) -> None:
    expected = [None if text is None else MASK.text(text) for text in texts]
    for small in (-1, 100):  # joined, and one by one
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(columns, "_SMALL", small)
            assert MASK.array(pa.array(texts, pa.string())).to_pylist() == expected


@pytest.mark.parametrize(
    "forms",
    [
        [
            "imsi-262011234567890",
            "262011234567890",
            "262-01-1234567890",
            "0262011234567890@nai.epc.mnc001.mcc262.3gppnetwork.org",
        ],
        ["+491711234567", "msisdn-491711234567", "00491711234567", "+49 171 1234567", "%2b491711234567"],
        ["imei-490154203237518", "imeisv-4901542032375101", "49-015420-323751-8", "imei-49015420323751"],
        ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001%3Adb8%3A%3A1", "2001:db8::1%eth0"],
        ["10.0.0.1", "::ffff:10.0.0.1", "010.000.000.001", "10%2e0%2e0%2e1", "1\u200b0.0.0.1"],
        ["00:11:22:aa:bb:cc", "00-11-22-AA-BB-CC", "0011.22aa.bbcc", "mac-00-11-22-aa-bb-cc"],
    ],
    ids=lambda forms: forms[0],
)
def test_one_identifier_has_one_pseudonym_however_it_is_written(forms: list[str]) -> None:
    assert len({MASK.text(form) for form in forms}) == 1


def test_a_suci_of_the_null_scheme_shares_the_letters_of_its_imsi() -> None:
    letters = MASK.text("imsi-262011234567890").removeprefix("imsi~")
    assert MASK.text("suci-0-262-01-0000-0-0-1234567890") == f"suci~{letters}"


def test_another_key_gives_other_pseudonyms() -> None:
    other = Pseudonymiser(bytes(32))
    assert other.text("10.0.0.1") != MASK.text("10.0.0.1")
    assert other.derive("quarantine") != MASK.derive("quarantine") != MASK.derive("else")


@given(st.text(alphabet="0123456789abfu%&#x;\\.:-\u200b\u0663\uff11\u00b2 imse=", max_size=60))
def test_what_escapes_and_look_alikes_stand_for_is_found_in_arrays_too(text: str) -> None:
    clean = MASK.text(text)
    assert MASK.array(pa.array([text])).to_pylist() == [clean]
    assert find(clean) == ()


def test_a_count_in_a_map_stays() -> None:
    values = pa.array([[("imsiAttachCount", "123456"), ("imsi", "123456")]], pa.map_(pa.string(), pa.string()))
    (pairs,) = MASK.array(values).to_pylist()
    assert pairs[0] == ("imsiAttachCount", "123456")
    assert pairs[1][1].startswith("imsi~")


def test_the_words_around_an_identifier_stay() -> None:
    name = MASK.text("10.0.0.1")
    assert MASK.text("Invalid user root from 10.0.0.1 port 22") == f"Invalid user root from {name} port 22"


def test_a_key_in_a_map_makes_the_number_beside_it_an_identifier() -> None:
    kind = pa.map_(pa.string(), pa.string())
    values = pa.array([[("callingMsisdn", "4712345678"), ("load", "4712345678"), ("ip", None)], None, []], kind)
    first, *rest = MASK.array(values).to_pylist()
    assert first[0][1].startswith("msisdn~")
    assert first[1:] == [("load", "4712345678"), ("ip", None)]
    assert rest == [None, []]
    assert MASK.array(values[1:]).to_pylist() == rest


def test_all_string_like_columns_of_a_batch_are_cleaned_and_numbers_kept() -> None:
    text, number = "imsi-262011234567890", 262011234567890
    batch = pa.RecordBatch.from_pydict(
        {
            "plain": pa.array([text, None]),
            "large": pa.array([text, None], pa.large_string()),
            "coded": pa.array([text, None]).dictionary_encode(),
            "listed": pa.array([[text, None], None]),
            "nested": pa.array([{"msisdn": "4712345678", "n": 1}, None]),
            "counter": pa.array([number, None]),
        }
    )
    clean = MASK.batch(batch.slice(0))
    assert clean.schema == batch.schema
    assert clean["counter"].to_pylist() == [number, None]
    assert clean["listed"].to_pylist() == [[MASK.text(text), None], None]
    assert text not in str(clean.to_pydict())
    assert "4712345678" not in str(clean.to_pydict())
    assert MASK.batch(batch.slice(1)).to_pylist() == batch.slice(1).to_pylist()


def test_strings_held_once_become_what_the_rows_become_in_every_batch() -> None:
    texts = ["imsi=262011234567890", "quiet", None, "262011234567890", "quiet", "msisdn 4915112345678", "4915112345678"]
    mask = Pseudonymiser(KEY)
    for label in ("body", "msisdn", "body"):
        for chosen in (texts, texts[::-1], texts[2:5]):
            plain = pa.array(chosen, pa.string())
            expected = Pseudonymiser(KEY).array(plain, label)
            found = mask.array(plain.dictionary_encode(), label)
            assert found.type == pa.dictionary(pa.int32(), pa.string())
            assert found.to_pylist() == expected.to_pylist()


def test_a_hundred_thousand_letters_take_no_time() -> None:
    for text in ("a" * 100_000, "a:" * 50_000, "imsi" * 25_000, "@" * 100_000, "1." * 50_000, "+1 " * 30_000):
        MASK.text(text)


@given(st.ip_addresses(v=6) | st.lists(st.sampled_from((0, 0, 0, 1, 0xABC)), min_size=8, max_size=8).map(joined))
def test_the_canonical_form_of_an_address_is_the_standard_librarys(address: ipaddress.IPv6Address) -> None:
    for written in (address.exploded, address.compressed):
        assert read("v6_long", written) == (Kind.IP, f"ip:{address.ipv4_mapped or address}")


def test_pseudonyms_of_addresses_are_of_the_parsed_address() -> None:
    packed = ipaddress.ip_address("2001:db8::a00:1")
    assert MASK.text(packed.exploded) == MASK.text(packed.compressed)
