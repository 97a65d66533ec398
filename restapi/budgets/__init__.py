"""Budgets of groups: how many service units their jobs may use in a time, and what is done when these are used up."""
