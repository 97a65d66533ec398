"""Runs one job on a worker; standard library only; ships as one file with each job."""
