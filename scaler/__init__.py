"""How many workers, of which kind."""
