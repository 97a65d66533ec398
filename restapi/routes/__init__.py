"""One blueprint per noun: read the request, call one function, write the answer."""
