"""Finds where somebody is rather than who: cell identities and coordinates, as text writes them.

Sources: TS 23.003 clauses 4.3.1 (CGI), 19.6 (ECGI) and 19.6A (NCGI); TS 29.571 clause 5.4.4 (`Ecgi`, `Ncgi`: seven and
nine hexadecimal digits); GML 3.2.1 clause 10.1.4 (`pos`, `posList`); RFC 7946 clause 3.1.1 (GeoJSON); RFC 5870
(`geo:`). A number is one of these only beside a word that says so. Operators need cells and sites, so these are
kept unless a policy says otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cellwright.privacy.identifiers import Identifier, Kind, Match
from cellwright.privacy.reading import lowered

if TYPE_CHECKING:
    from collections.abc import Iterator

_TO: Final = r"(?:%[0-9a-f]{2}|[^0-9a-z\n~]){0,8}?"
_JOINT: Final = r"[-_.: /]"
_NUMBER: Final = r"[+-]?\d{1,3}\.\d{1,20}"
_ANGLE: Final = r"[+-]?\d{1,3}(?:\.\d{1,20})?"
_BETWEEN: Final = r"[ \t]*[,; \t][ \t]*"
_DEGREES: Final = r"\d{1,3}(?:\.\d{1,20})?[ ]?[°º]?"
_MINUTES: Final = r"\d{1,3}[°ºd: ][ ]?\d{1,2}['\u2032\u2019m: ][ ]?(?:\d{1,2}(?:\.\d{1,9})?[\"\u2033\u201ds]?)?"
_POSITIONS: Final = rf"{_ANGLE}(?:[ ,\t]+{_ANGLE}){{1,4095}}"

_CELLS: Final = (
    rf"(?:ncgi|nr[_-]?cgi){_TO}(?P<ncgi>\d{{3}}{_JOINT}?\d{{2,3}}{_JOINT}?(?:0x)?[0-9a-f]{{9}})(?![0-9a-z])",
    rf"(?:ecgi|eutra[_-]?cgi){_TO}(?P<ecgi>\d{{3}}{_JOINT}?\d{{2,3}}{_JOINT}?(?:0x)?[0-9a-f]{{7}})(?![0-9a-z])",
    rf"(?<![a-z])cgi{_TO}(?P<cgi>\d{{3}}{_JOINT}\d{{2,3}}{_JOINT}[0-9a-f]{{1,5}}{_JOINT}[0-9a-f]{{1,5}})(?![0-9a-z])",
    rf"(?:nr[_-]?cell[_-]?id(?:entity)?|(?<![a-z])nci){_TO}(?P<nci>0x[0-9a-f]{{1,9}}|[0-9a-f]{{9}}|\d{{1,11}})(?![0-9a-z])",
    rf"(?:eutra[_-]?cell[_-]?id(?:entity)?|(?<![a-z])eci){_TO}(?P<eci>0x[0-9a-f]{{1,7}}|[0-9a-f]{{7}}|\d{{1,9}})(?![0-9a-z])",
)
_COORDINATES: Final = (
    rf"(?:latitude|longitude)[a-z_]{{0,12}}{_TO}(?P<angle>{_ANGLE})(?![\d.]*\d)",
    # `lat=12.5` may be a latency: three decimals are a place to a hundred metres.
    rf"(?<![a-z])(?:lat|lon|lng|long)(?:_?(?:deg|wgs84))?{_TO}(?P<short>[+-]?\d{{1,3}}\.\d{{3,20}})(?!\d)",
    rf"(?<![a-z])geo:(?P<geo>{_ANGLE},{_ANGLE})(?!\d)",
    rf"wgs[ -]?84[^0-9\n~+-]{{0,8}}(?P<wgs>{_NUMBER}{_BETWEEN}{_NUMBER})(?!\d)",
    rf"(?<![a-z])(?:multi)?(?:point|linestring|polygon)[ ]?z?[ ]?\({{1,3}}[ ]?(?P<wkt>{_POSITIONS})(?!\d)",
    rf"<(?:\w{{1,20}}:)?(?:pos|poslist|coordinates)(?:\s[^<>]{{0,200}})?>\s{{0,20}}(?P<gml>{_POSITIONS})(?!\d)",
    rf"coordinates[\"']?\s{{0,4}}[:=]\s{{0,4}}[\[(]{{1,4}}\s{{0,4}}(?P<json>{_POSITIONS})(?!\d)",
    rf"(?<![\d.])(?P<hemispheres>{_DEGREES}[ns](?![a-z]){_BETWEEN}{_DEGREES}[ew])(?![0-9a-z])",
    rf"(?<![0-9a-z])(?P<before>[ns][ ]?{_DEGREES}{_BETWEEN}[ew][ ]?{_DEGREES})(?![0-9a-z])",
    rf"(?<![\d.])(?P<minutes>{_MINUTES}[ ]?[ns](?:{_BETWEEN})?{_MINUTES}[ ]?[ew])(?![0-9a-z])",
)
_PLACES: Final = re.compile("|".join((*_CELLS, *_COORDINATES)))
_OF_CELLS: Final = frozenset({"ncgi", "ecgi", "cgi", "nci", "eci"})
WORDS: Final = (
    r"(?i)cgi|nci|eci|cell[_-]?id|latitude|longitude|lat|lon|lng|geo:|wgs|point|linestring|polygon|pos|coordinates"
    r"|[0-9][^a-z\n]{0,8}[ns][^a-z\n]{0,8}[0-9]|[ns] ?[0-9]"
)
"""Necessary for any place, in the common syntax of `re` and RE2."""
LABEL: Final = re.compile(
    r"(?:ncgi|nr[_-]?cgi|ecgi|eutra[_-]?cgi|(?<![a-z])cgi|(?:nr|eutra)[_-]?cell[_-]?id(?:entity)?|(?<![a-z])[ne]ci"
    r"|latitude|longitude|(?<![a-z])(?:lat|lon|lng))(?![a-z])"
)
"""Words that make the value of their column or key a place."""


def scan_places(text: str) -> Iterator[Identifier]:
    """Yield the cell identities and coordinates of a text in order, without overlap."""
    plain = lowered(text)
    for found in _PLACES.finditer(plain):
        group = found.lastgroup or ""
        start, end = found.span(group)
        if group in _OF_CELLS:
            yield Identifier(Match(Kind.CELL, start, end), f"{group}:{cell_of(group, plain[start:end])}")
        else:
            yield Identifier(Match(Kind.POSITION, start, end), f"position:{plain[start:end]}")


def cell_of(group: str, written: str) -> str:
    """Return one form of a cell identity: parts joined by dashes, those of 4G and 5G hexadecimal."""
    if group == "cgi":
        return re.sub(r"[_.: /]", "-", written)
    if group in ("nci", "eci"):
        digits = {"nci": 9, "eci": 7}[group]
        is_hexadecimal = written.startswith("0x") or len(written) == digits or not written.isdecimal()
        number = int(written, 16 if is_hexadecimal else 10)
        return f"{number:0{digits}x}"
    width = 9 if group == "ncgi" else 7
    network = re.sub(r"[^0-9]", "", written[:-width].removesuffix("0x"))
    return f"{network[:3]}-{network[3:]}-{written[-width:]}"
