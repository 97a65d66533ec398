"""The personal pool: everything real, on one machine, in containers."""
