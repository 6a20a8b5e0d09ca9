"""Portal: the factory's pages for people."""

from cellwright.portal.app import create_app
from cellwright.portal.factory import Factory

__all__ = ["Factory", "create_app"]
