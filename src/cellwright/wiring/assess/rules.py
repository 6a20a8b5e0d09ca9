"""A starting set of regulations for each jurisdiction: every one is marked "to be reviewed" and is no legal advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Boundary, Effect, SensitivityClass

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMBERS: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
EEA: Final = tuple(_MEMBERS.split())
"""States in which Regulation (EU) 2016/679 applies: the EU, and by Joint Committee Decision 154/2018 the EEA."""

REVIEW: Final = "review"
ANYWHERE: Final = "anywhere"
BOUNDARIES: Final[Mapping[str, tuple[Boundary, Effect]]] = {
    "premises": (Boundary.PREMISES, Effect.DENY),
    "country": (Boundary.COUNTRY, Effect.DENY),
    "bloc": (Boundary.BLOC, Effect.DENY),
    ANYWHERE: (Boundary.NONE, Effect.DENY),
    REVIEW: (Boundary.PREMISES, Effect.REVIEW),
}
"""What an operator can answer, from the tightest; `review`: off the premises only after a legal review."""

_C: Final = SensitivityClass
_OWN_MEASURE: Final = "name the law or the measure of your own risk treatment that keeps it there"


@dataclass(frozen=True, slots=True)
class Start:
    """What a class of data starts from: an answer of BOUNDARIES, and which instrument to read."""

    answer: str
    instrument: str
    url: str | None = None

    @property
    def source(self) -> str:
        """The source as it stands in the document until somebody has looked it up."""
        return f"To be reviewed: {self.instrument}"


def starting_rule(country: str, sensitivity: SensitivityClass) -> Start:
    """Return what to start from for data of a class in a country."""
    if country in EEA:
        return _EEA_RULES[sensitivity]
    return _NATIONAL.get(country, {}).get(sensitivity) or _ELSEWHERE[sensitivity]


_GDPR: Final = "https://eur-lex.europa.eu/eli/reg/2016/679/oj"
_EPRIVACY: Final = "https://eur-lex.europa.eu/eli/dir/2002/58/oj"
_NIS2: Final = "https://eur-lex.europa.eu/eli/dir/2022/2555/oj"
_EEA_RULES: Final[Mapping[SensitivityClass, Start]] = {
    _C.SUBSCRIBER_PII: Start("bloc", "Regulation (EU) 2016/679 (GDPR), Articles 44 to 49, transfers", _GDPR),
    _C.LOCATION: Start("premises", "Directive 2002/58/EC (ePrivacy), Article 9, and national law", _EPRIVACY),
    _C.SIGNALLING: Start("premises", "Directive 2002/58/EC (ePrivacy), Articles 5 and 6, and national law", _EPRIVACY),
    _C.NETWORK_CONFIGURATION: Start("premises", f"Directive (EU) 2022/2555 (NIS2), Article 21; {_OWN_MEASURE}", _NIS2),
    _C.TROUBLE_TICKET: Start(REVIEW, "Regulation (EU) 2016/679 (GDPR), Article 5: does text name customers?", _GDPR),
    _C.AGGREGATED_KPI: Start(ANYWHERE, "Regulation (EU) 2018/1807, Article 4, free flow of non-personal data",
                             "https://eur-lex.europa.eu/eli/reg/2018/1807/oj"),
    _C.ANONYMISED: Start(ANYWHERE, "Regulation (EU) 2016/679 (GDPR), Recital 26: is it truly anonymous?", _GDPR),
    _C.MODEL_ARTEFACT: Start("bloc", "EDPB Opinion 28/2024: may a model remember personal data it was trained on?"),
}  # fmt: skip
_ELSEWHERE: Final[Mapping[SensitivityClass, Start]] = {
    _C.SUBSCRIBER_PII: Start("country", "name the data protection law of the country, and its article on transfers"),
    _C.LOCATION: Start("premises", "name the telecommunications law on location data"),
    _C.SIGNALLING: Start("premises", "name the telecommunications law on traffic data, or the clause of the licence"),
    _C.NETWORK_CONFIGURATION: Start("premises", _OWN_MEASURE),
    _C.TROUBLE_TICKET: Start(REVIEW, "does free text name customers? name the data protection law"),
    _C.AGGREGATED_KPI: Start(ANYWHERE, "confirm that aggregates over cells and hours name nobody"),
    _C.ANONYMISED: Start(ANYWHERE, "confirm that nobody can be found again in it"),
    _C.MODEL_ARTEFACT: Start("country", "may a model remember personal data it was trained on?"),
}
_NATIONAL: Final[Mapping[str, Mapping[SensitivityClass, Start]]] = {
    "GB": {
        _C.SUBSCRIBER_PII: Start("country", "UK GDPR, Articles 44 to 49, with the Data Protection Act 2018"),
        _C.LOCATION: Start("premises", "Privacy and Electronic Communications Regulations 2003, regulation 14"),
        _C.SIGNALLING: Start("premises", "Privacy and Electronic Communications Regulations 2003, regulations 7 and 8"),
        _C.NETWORK_CONFIGURATION: Start("premises", "Telecommunications (Security) Act 2021 and its 2022 regulations"),
    },
    "CH": {
        _C.SUBSCRIBER_PII: Start("country", "Federal Act on Data Protection (SR 235.1), Articles 16 to 18"),
        _C.SIGNALLING: Start("premises", "Telecommunications Act (SR 784.10), Articles 43 to 45"),
        _C.LOCATION: Start("premises", "Telecommunications Act (SR 784.10), Article 45b"),
    },
    "US": {
        _C.SUBSCRIBER_PII: Start(
            "country", "47 U.S.C. 222 and 47 CFR 64.2001 on: customer proprietary network information"
        ),
        _C.LOCATION: Start("premises", "47 U.S.C. 222(f), call location information"),
        _C.SIGNALLING: Start("premises", "47 U.S.C. 222(h), information on the use of a service"),
    },
    "IN": {
        _C.SUBSCRIBER_PII: Start("country", "Digital Personal Data Protection Act 2023, section 16"),
        _C.SIGNALLING: Start("country", "Unified Licence, chapter VI: accounting and user information stays in India"),
    },
}
