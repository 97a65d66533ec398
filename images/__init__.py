"""Recipes of the container images, as package data."""
