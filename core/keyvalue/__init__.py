"""Shared state: get, list, compare-and-set, lease."""
