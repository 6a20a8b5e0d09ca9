"""Privacy: finds 3GPP identifiers, replaces them by keyed pseudonyms, guards what leaves; fails closed."""
