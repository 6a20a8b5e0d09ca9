"""Privacy: finds 3GPP identifiers, replaces them by keyed pseudonyms, guards what leaves; fails closed."""

from __future__ import annotations

from cellwright.privacy.egress import guard_egress
from cellwright.privacy.identifiers import Kind, Match, find
from cellwright.privacy.keys import load_or_create_key
from cellwright.privacy.pseudonymise import Pseudonymiser

__all__ = ["Kind", "Match", "Pseudonymiser", "find", "guard_egress", "load_or_create_key"]
