"""Privacy: find 3GPP identifiers, pseudonymise them, guard egress; fails closed."""
