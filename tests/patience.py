"""How long tests wait for what must come.

What comes is not waited for any longer than it takes, so a limit costs nothing but where something is broken; one that
is too short breaks a run on a machine that is busy with other things.
"""

PATIENCE = 3
"""By so much every limit is longer than a machine of one's own needs."""
