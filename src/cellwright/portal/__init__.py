"""Portal: the factory's pages for people."""
