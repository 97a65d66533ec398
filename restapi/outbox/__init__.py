"""What is to be told to people and their programs, kept in the shared store until it has been.

What is there has not been told; so neither a restart nor an archive that is made anew tells anything twice. Mail and
webhooks share this, and each has a process of its own.
"""
