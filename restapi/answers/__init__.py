"""What the API answers, as types: a module for each noun of the API. Pure.

What is not known is absent, never null, and nothing comes that is not said here. `general` has what all operations may
answer, `words` what many answers hold; `asked` and `execution` are what `jobs` has inside.
"""
