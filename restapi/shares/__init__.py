"""Fair share: which part of the pool groups get while others wait as well, as HTCondor's negotiator is told."""
