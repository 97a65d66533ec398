"""Workers that a user starts, without root: on a laptop, on a login node, or inside a batch job."""
