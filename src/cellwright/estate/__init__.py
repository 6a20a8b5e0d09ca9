"""Estate: YAML documents become a frozen Estate, or every problem with its place."""

from cellwright.estate.identity import fingerprint
from cellwright.estate.parsing import Parsed, parse
from cellwright.estate.schema import json_schema
from cellwright.estate.warnings import warnings_at

__all__ = ["Parsed", "fingerprint", "json_schema", "parse", "warnings_at"]
