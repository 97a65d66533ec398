"""The words everybody shares. Empty on purpose: importing one document must not load the others."""
