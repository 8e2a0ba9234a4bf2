"""A push rehearsed: its very plan on a lab twin of the fleet, stand-ins in place of commands."""
