"""The broker: a root process on a worker that runs Docker containers for jobs, and does nothing else for them.

A job may not touch the Docker socket, as that would make it root on the worker's host. It speaks to the broker's
socket instead (`protocol`), whose verbs are fixed: what is mounted, as whom a container runs and what it may reach
are not the job's to say. One connection is one job's session (`session`): when it closes, for whatever reason, the
session's containers and directories are removed. What a crash leaves behind is found by its label and its place
and swept (`janitor`).
"""
