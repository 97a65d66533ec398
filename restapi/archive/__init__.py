"""What became of jobs that have left HTCondor's queue, and how each attempt of a job went: kept by us, for as long as
we like, since HTCondor keeps the last so many megabytes.

One process (`main`) follows HTCondor's history and its log of events and writes; the API reads. All of it can be made
anew from HTCondor's files, as far as those reach back.
"""
