"""imc's ports on real components, and in memory for tests."""
