"""The four first steps of an operator as a guided path: classify, measure, reckon tokens and cost, evaluate tiers."""

from cellwright.wiring.assess.answers import Given, leftovers, read_answers, write_answers
from cellwright.wiring.assess.estate import ESTATE, documents, write_assessment
from cellwright.wiring.assess.findings import Finding, findings
from cellwright.wiring.assess.interview import Interview, interview
from cellwright.wiring.assess.question import Asker, Question, Recorded

__all__ = [
    "ESTATE",
    "Asker",
    "Finding",
    "Given",
    "Interview",
    "Question",
    "Recorded",
    "documents",
    "findings",
    "interview",
    "leftovers",
    "read_answers",
    "write_answers",
    "write_assessment",
]
