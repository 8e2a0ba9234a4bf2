"""Programs that are shipped to hosts, and how they are packed."""
