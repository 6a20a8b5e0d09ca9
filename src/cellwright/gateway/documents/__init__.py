"""What a user writes to set up a gateway, one file a section; `gateway` is the whole."""
