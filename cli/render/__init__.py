"""Documents to text for people: a module for each noun. Pure; the time is an argument.

`text` has what is shown of values, `table` of many things, `documents` the API's own words. Names, commands and reasons
come from others: no control character of theirs reaches the terminal.
"""
