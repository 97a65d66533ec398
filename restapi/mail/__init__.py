"""Messages to users whose jobs have ended.

The API writes a letter into the shared store when such a job is submitted: to whom. One process (`main`) looks which
of these jobs have ended, sends each its message, and takes the letter away: a letter that is there is one that has not
been sent. So neither a restart nor an archive that is made anew sends anything twice; a crash between the two does,
with the same Message-ID.
"""
