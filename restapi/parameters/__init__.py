"""What may stand behind the ? in an address and in its gaps, with its meaning: a module for each noun of the API. Pure.

`model` has what all have in common, `lists` and `output` what several nouns share, `gaps` the gaps, `words` the types.
"""
