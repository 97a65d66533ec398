"""What the jobs of a workflow have kept, and where each thing goes: a directory for each job, and in it one for each of
its instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from prominence.cli import view
from prominence.cli.kept import Kept, kept
from prominence.cli.render.workflows import node_name

JOBS_AT_ONCE = 100
"""Addresses expire: they are asked for when the files before have been fetched."""


class Api(Protocol):
    """What is needed of the client."""

    def nodes(self, workflow_id: int, status: str | None = None) -> Iterator[dict[str, Any]]:
        """How each instance of its jobs is."""

    def jobs(self, job_ids: Sequence[int]) -> list[dict[str, Any]]:
        """These jobs in detail."""


def kept_by_workflow(api: Api, workflow_id: int, into: Path) -> Iterator[list[Kept]]:
    """The files of its jobs that have ended, some at a time. Raises ClientError for a name that leads out of the
    directory of its instance."""
    ended = (node for node in api.nodes(workflow_id, ",".join(sorted(view.ENDED))) if isinstance(node.get("id"), int))
    while some := {node["id"]: node for node in islice(ended, JOBS_AT_ONCE)}:
        jobs = {job.get("id"): job for job in api.jobs(list(some))}
        yield [
            replace(one, name=f"{node_name(node)}/{one.name}")
            for job_id, node in some.items()
            for one in kept(jobs.get(job_id, {}), into / directory(node))
        ]


def directory(node: Mapping[str, Any]) -> Path:
    """Of an instance: another for each, whatever the jobs are called."""
    name = quote(view.text(node, "job"), safe=" ", errors="surrogatepass")
    own = name.replace(".", "%2E") if name.strip(".") == "" else name
    return Path(own, str(node["instance"])) if isinstance(node.get("instance"), int) else Path(own)
