"""The error tree is what its drawing says."""

from __future__ import annotations

import inspect

from prominence.core import errors
from prominence.core.errors import CloudError, ProminenceError, Unavailable


def test_every_error_is_drawn_and_belongs_to_the_tree() -> None:
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == errors.__name__
    ]
    assert len(classes) > 10
    for one in classes:
        assert issubclass(one, ProminenceError)
        assert one.__name__ in (errors.__doc__ or "")
        assert one.__doc__
        below_cloud = f"    ├── {one.__name__}" in (errors.__doc__ or "")
        assert not below_cloud or issubclass(one, CloudError)


def test_unavailable_may_know_when_to_ask_again() -> None:
    assert Unavailable("down").retry_after_s is None
    assert Unavailable("down", 5).retry_after_s == 5
