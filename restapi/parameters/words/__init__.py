"""The types of parameters. Pure.

How each looks on its way here is said beside the function that reads it, for the description of the API.
"""
