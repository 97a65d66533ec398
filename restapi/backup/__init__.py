"""A backup of what an access point keeps: one archive, made while everything runs, and put back while nothing does."""
