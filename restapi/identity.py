"""Who is calling, and what they may see and do. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """A caller whose token was found good. groups: the first is the one whose share their jobs count against."""

    user: str
    groups: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The group that is charged; "" for none."""
        return self.groups[0] if self.groups else ""


def may_use(caller: Identity, owner: str) -> bool:
    """Whether the caller may see and act on a job of `owner`: their own only."""
    return caller.user == owner
