"""What counts as a fact in flow messages, and the limits that parser and counter share.

The count of a capture must not come from the parser, so both follow these rules on their own:

- a packet without a UDP datagram, and a datagram of another protocol, is one fact;
- a NetFlow v5 message: one fact for each whole record, one more when records that its header counts are missing or
  bytes follow them;
- a NetFlow v9 or IPFIX message is read set by set. A template set is one fact whatever it defines, and so is a set of a
  reserved id and a data set whose template never comes. A data set whose template is known, then or later in the file,
  is one fact for each record, one more when a record runs over its end, and one if it holds no record. What cannot be
  read of the message itself, up to the end of the datagram, is one fact; bytes behind an IPFIX message are one;
- a message with none of these is one fact.

A template belongs to the exporter's address, the version, the observation domain and its id. A data set that comes
before its template is kept and read when the first template of that id arrives.
"""

from __future__ import annotations

from typing import Final

LARGEST_TEMPLATE_FIELDS: Final = 1024
"""A template of more fields is refused."""
TEMPLATES_KEPT: Final = 16_384
"""Of one file; further ones are refused until others are withdrawn."""
FIELDS_KEPT: Final = 524_288
"""Of all templates of one file."""
WAITING_SETS: Final = 16_384
"""Data sets that wait for their template; further ones are set aside at once."""
WAITING_BYTES: Final = 16 << 20
"""Of all waiting data sets."""
VARIABLE: Final = 0xFFFF
"""The field length that says that each record tells it (RFC 7011, 7)."""
SMALLEST_ID: Final = 256
"""Of a template and of the data sets it describes (RFC 7011, 3.3.2; RFC 3954, 5.1)."""
