"""What imc needs of the world: clouds that give machines, and the pool that the machines join."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from prominence.core.machines import Flavour, Price, Quota, Tier
from prominence.imc.condor_text import Outsider, Revocation


class NodeState(enum.StrEnum):
    """What a cloud says of a node."""

    UNFINISHED = "unfinished"  # it was made and never started: somebody died between the two
    RUNNING = "running"
    STOPPED = "stopped"  # it ran, and has ended


@dataclass(frozen=True)
class Node:
    """A machine that carries our mark. detail: more about its state, for people.

    copies: how many there are of this name: several, when a request was heard twice. taken: the cloud says that it has
    taken it away; few do.
    """

    name: str
    state: NodeState
    detail: str = ""
    copies: int = 1
    taken: bool = False


@dataclass(frozen=True)
class File:
    """A file that a machine finds when it starts; owned by root. The text may hold a secret."""

    path: str
    mode: int
    text: str = field(repr=False)


@dataclass(frozen=True)
class Layout:
    """Where things are on a worker.

    docker_socket: "" when its jobs may not use Docker. outbound_network: Docker's name for the network of jobs'
    containers that may speak to the outside. worker_network: its name for the worker's own; "" where none may be on it.
    by_user_data: its files come in the cloud's user data, which others than the worker's root may come to read.
    notices: whose metadata service tells it that the cloud is about to take it away, if it may; "" none does.
    """

    execute_dir: str
    tasks_dir: str
    docker_socket: str = ""
    outbound_network: str = ""
    worker_network: str = ""
    by_user_data: bool = False
    notices: str = ""


@dataclass(frozen=True)
class Terms:
    """How a cloud may be used.

    limit: how many nodes we may have there at once. cpu_limit: how many CPUs in all. join_s: how long a node may take
    to join the pool, or be unheard of; None: as long as elsewhere. probation: how many machines may be tried at once
    of what has not worked yet; None: any number. groups: those whose jobs may run there; none: all.
    """

    limit: int
    cpu_limit: int | None = None
    tier: Tier = Tier.PRIVATE
    join_s: int | None = None
    groups: tuple[str, ...] = ()
    probation: int | None = None


@dataclass(frozen=True)
class About:
    """What is known of a cloud besides its machines and flavours.

    image: what workers start from. prices: as declared. ages_s: how long ago each part was read from the cloud.
    """

    quota: Quota = Quota()
    image: str = ""
    prices: tuple[Price, ...] = ()
    ages_s: Mapping[str, float] = field(default_factory=dict)


class Cloud(Protocol):
    """Machines by name, in one place.

    Every verb raises Unavailable when the cloud does not answer; what it was asked may then have happened. Other
    refusals are CloudErrors, and whoever raises one has left nothing behind. The verbs may be called by several
    threads at once, for one name by one at a time.
    """

    @property
    def name(self) -> str:
        """Its name among the clouds."""

    @property
    def terms(self) -> Terms:
        """How it may be used."""

    def flavours(self) -> Sequence[Flavour]:
        """The kinds of machine it offers."""

    def about(self) -> About:
        """What else is known. It never raises: what cannot be read now is as it was, and older."""

    def layout(self, name: str) -> Layout:
        """Where things will be on the worker of this name."""

    def nodes(self) -> Sequence[Node]:
        """All nodes that carry our pool's mark, in whatever state; nobody else's."""

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        """Make and start the node `name` with these files.

        One that runs already is left as it is, one that was never started is finished.
        """

    def thin_out(self, name: str) -> None:
        """Leave one of several machines of this name. That there is only one, or none, is fine."""

    def delete(self, name: str) -> None:
        """After this returns the node, and all that was made for it, is gone or going.

        Deleting what is not there is fine.
        """


@dataclass(frozen=True)
class ExecutePoint:
    """A worker whose startd is in the collector. draining: it takes no new jobs.

    leaving: its cloud has told it that it takes the machine away.
    """

    claimed_slots: int
    draining: bool
    leaving: bool = False


@dataclass(frozen=True)
class Admission:
    """What a machine joins the pool with, and for how long it is good, in seconds."""

    token: SecretStr
    lifetime_s: int


class Pool(Protocol):
    """The HTCondor pool as far as it concerns workers. Every verb raises Unavailable when it does not answer."""

    def execute_points(self) -> Mapping[str, ExecutePoint]:
        """The workers whose startds are in the collector, by worker name."""

    def drain(self, name: str, reason: str) -> None:
        """Let it take no new jobs and finish those it has. Draining what drains already is fine.

        Raises NotFound when it is not in the pool.
        """

    def undrain(self, name: str) -> None:
        """Let it take jobs again. Undraining what does not drain is fine.

        Raises NotFound when it is not in the pool.
        """

    def invalidate(self, name: str) -> None:
        """Take a dead worker's ads away, so that nothing is matched to it. Absent ads are fine."""

    def mint(self, name: str) -> SecretStr:
        """A new token with which this worker, and no other, can join."""

    def revoke(self, name: str, now: datetime) -> None:
        """No token minted for `name` until now is accepted any more. Repeating it is fine."""

    def revocations(self) -> Sequence[Revocation]:
        """What this imc has revoked, or was told that others have."""

    def refuse(self, entries: Sequence[Revocation]) -> None:
        """The collector beside this imc refuses tokens of all of these from now on, and of no others."""

    def outsiders(self) -> Sequence[Outsider]:
        """Who is shut out here, and who was."""

    def keep_out(self, entries: Sequence[Outsider]) -> None:
        """The collector beside this imc hears no machine of those that are shut out, one that has joined neither, and
        all others. Repeating it is fine."""

    def mint_for_owner(self, owner: str) -> Admission:
        """A new token with which machines of this owner's, called LABEL.OWNER, can join, and none else."""

    def revoke_of_owner(self, owner: str, now: datetime) -> None:
        """No token minted for this owner until now is accepted any more. Repeating it is fine."""
