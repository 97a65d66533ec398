"""Pure: our documents into HTCondor's text and the worker's orders."""
