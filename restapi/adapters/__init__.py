"""The API's ports on real components, and in memory for tests."""
