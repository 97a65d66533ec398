"""HTTP in front of HTCondor."""
