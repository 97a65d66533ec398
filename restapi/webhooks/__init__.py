"""Webhooks: addresses of users' and groups' own programs, which are told by a signed request what has happened.

A job's end is noted when the job is submitted. When it has ended, each webhook that it concerns gets a call of its own,
in one change of the shared store with the note's end; one process (`main`) makes the calls. A call that is there is one
that has not been taken yet: it is made again, under the same id, until it is or its time is over.
"""
