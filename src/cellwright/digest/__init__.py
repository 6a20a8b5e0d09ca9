"""Digest: records become incidents, incidents become digests within a token budget."""

from __future__ import annotations

from cellwright.digest.compose import BUDGET_TOKENS, Digest, digest_incident, digests, to_json
from cellwright.digest.fold import Facts
from cellwright.digest.ledger import Ledger, Omission, Reference
from cellwright.digest.rank import Candidate, rank
from cellwright.digest.storms import STORM_MAX_TOKENS, STORM_MIN_TOKENS, Incident, incidents, is_storm
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter, TokenCounter, exact_counter, token_counter

__all__ = [
    "BUDGET_TOKENS",
    "STORM_MAX_TOKENS",
    "STORM_MIN_TOKENS",
    "Candidate",
    "Digest",
    "EstimatingCounter",
    "Facts",
    "Incident",
    "Ledger",
    "Omission",
    "Reference",
    "TokenCounter",
    "decode",
    "digest_incident",
    "digests",
    "exact_counter",
    "incidents",
    "is_storm",
    "rank",
    "to_json",
    "token_counter",
]
