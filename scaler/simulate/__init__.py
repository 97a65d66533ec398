"""The simulator: a load against a scaler's rule on a pretend clock. Knows no HTCondor, store or network."""
