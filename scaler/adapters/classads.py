"""What an expression of one ad is when it meets another, by HTCondor's own library."""

from __future__ import annotations

import classad2
import htcondor2

from prominence.core.snapshot import Ad

_UNREADABLE = (
    getattr(classad2, "ClassAdException", SyntaxError),
    getattr(htcondor2, "HTCondorException", RuntimeError),  # imported for its functions, such as stringListMember
    SyntaxError,
    ValueError,
    RuntimeError,
)


def evaluate(expression: str, mine: Ad, target: Ad) -> bool:
    """Whether it is true in the first ad. What cannot be read is not."""
    try:
        one, other = _ad(mine), _ad(target)
        one["Requirements"], other["Requirements"] = classad2.ExprTree(expression), True
        return bool(one.symmetricMatch(other))
    except _UNREADABLE:
        return False


def _ad(attributes: Ad) -> classad2.ClassAd:
    ad = classad2.ClassAd()
    for name, text in attributes:
        ad[name] = classad2.ExprTree(text)
    return ad
