"""One file a kind of gate."""
