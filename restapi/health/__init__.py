"""How the parts of the service are: what is asked of them, and what is made of their answers."""
