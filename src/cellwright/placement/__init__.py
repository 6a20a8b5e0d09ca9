"""Placement: an Estate becomes an explained Plan."""
