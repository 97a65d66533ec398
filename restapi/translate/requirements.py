"""Which machines a job may run on, and which it had rather have, in the words of HTCondor's submit language. Pure."""

from __future__ import annotations

from prominence.core import classads
from prominence.core.job import JobSpec
from prominence.core.machines import Market
from prominence.restapi.identity import Account
from prominence.restapi.translate import places
from prominence.restapi.translate.needs import Needs
from prominence.restapi.translate.plan import ALL_RUNTIMES, BARE, reaches_other_nodes, runtimes

_OF_THE_POOL = f'regexp("^[^@]+@{classads.WORKER_DOMAIN}$", TARGET.{classads.AUTHENTICATED_IDENTITY})'

_OF_GPUS = ("gpus_minimum_memory", "gpus_minimum_capability")
_KEPT = f"(MY.{classads.PREEMPTIBLE} =!= false || TARGET.{classads.MARKET} =!= {classads.quote(Market.SPOT)})"
"""That the machine is to be kept, or is nobody's to take away, for the job that says so: see `places.requirements`."""
_OF_WHAT_IS_REQUIRED = ("requirements", *_OF_GPUS, f"My.{classads.PREEMPTIBLE}")


def commands(of_job: Needs, spec: JobSpec, account: Account) -> dict[str, str]:
    """What the job asks of a machine, and which it had rather have."""
    of_places = spec.policies.places()
    found = {
        **of_job.commands(),
        "requirements": " && ".join(
            [
                _trusted(account),
                *places.requirements(),
                *of_job.requirements(),
                *_runtimes(spec),
                *_storage(spec),
                *_between_nodes(spec),
                _KEPT,
            ]
        ),
        # Where it ran is asked for long after the machine is gone.
        "job_machine_attrs": classads.CLOUD,
        **places.attributes(of_places),
    }
    if not spec.policies.preemptible:
        found[f"My.{classads.PREEMPTIBLE}"] = "false"
    wanted = [found[name] for name in _OF_WHAT_IS_REQUIRED if name in found]
    found[f"My.{classads.REQUIRES}"] = classads.text_literal(classads.digest(wanted))
    # As many cores as it would get.
    rank = places.rank(of_places.preferences, classads.REQUEST_CPUS if of_job.most_cpus is not None else "")
    return {**found, "rank": rank} if rank else found


def _trusted(account: Account) -> str:
    """A slot of one of the pool's own workers, or of the user's own: the collector notes who advertised it."""
    of_the_user = classads.quote(f"{classads.owner(account.user)}@{classads.OWNER_DOMAIN}")
    return f"({_OF_THE_POOL} || TARGET.{classads.AUTHENTICATED_IDENTITY} =?= {of_the_user})"


def _runtimes(spec: JobSpec) -> list[str]:
    """That the worker has one for each task. One that has not told of any may have it, unless that needs leave."""
    names = f"TARGET.{classads.RUNTIMES}"
    clauses = []
    for some in dict.fromkeys(runtimes(task, spec) for task in spec.tasks):
        has_one = " || ".join(f"stringListMember({classads.quote(name)}, {names})" for name in some)
        if some == BARE:
            clauses.append(f"({has_one}) =?= true")
        elif len(some) == len(ALL_RUNTIMES):
            clauses.append(f"{names} =!= {classads.quote(*BARE)}")
        else:
            clauses.append(f"({names} =?= undefined || {has_one})")
    return clauses


def _storage(spec: JobSpec) -> list[str]:
    """That the worker has told that it can mount it: one that has not, such as a user's own, may lack the programs."""
    if spec.storage is None:
        return []
    can = f"stringListMember({classads.quote(spec.storage.type)}, TARGET.{classads.STORAGE})"
    return [f"{can} =?= true"]


def _between_nodes(spec: JobSpec) -> list[str]:
    """That the worker has told that its containers reach those of the job's other nodes, where an MPI needs that."""
    if not any(reaches_other_nodes(task, spec) for task in spec.tasks):
        return []
    return [f"TARGET.{classads.BETWEEN_NODES} =?= true"]
