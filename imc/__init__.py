"""Machines on clouds."""
