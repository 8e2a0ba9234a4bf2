"""One file a kind of step."""
