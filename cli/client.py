"""The REST API as Python: one method per call, plain documents in and out, the errors of `prominence.cli.errors`.

`submit`, `get` and `find` give jobs as objects, with which one can go on: `client.submit(job).wait()`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from prominence.cli import view
from prominence.cli.arrays import Arrays
from prominence.cli.budgets import Budgets
from prominence.cli.errors import NoSuchJob
from prominence.cli.handle import Job
from prominence.cli.keys import Keys
from prominence.cli.listing import QUEUED, Wanted
from prominence.cli.news import NOTHING, News, Printed, Sink, Stream
from prominence.cli.objects import Objects
from prominence.cli.tokens import Tokens
from prominence.cli.transport import Token, Transport, web
from prominence.cli.webhooks import Webhooks
from prominence.cli.workflows import Workflows

if TYPE_CHECKING:
    from prominence.core.job import JobSpec  # takes long to import, and commands do not need it

Usage = dict[str, dict[str, Any]]
GroupedUsage = dict[str, list[Any]]
"""Of `users` and of `groups`, by name: cpuTime and wallTime in hours, numberOfJobs."""

_PIECE = 64 * 1024
_PER_PAGE = 1000


class Client:
    """One API, one identity. `url` ends with the API's base path: https://host/prominence/v1."""

    def __init__(self, url: str, token: Token, session: requests.Session | None = None) -> None:
        self.url = url
        self._api = Transport(url, token, session)
        self._session = session
        self.arrays = Arrays(self._api)
        self.workflows = Workflows(self._api)
        self.kv = Keys(self._api)
        self.data = Objects(self._api, self.web)
        self.tokens = Tokens(self._api)
        self.budgets = Budgets(self._api)
        self.webhooks = Webhooks(self._api)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.close()

    def whoami(self) -> dict[str, Any]:
        """Who we are to the API: `user`, `groups`, `roles`, `scopes`, and `expires` where that is known."""
        return self._api.document("GET", "/whoami")

    def resources(self) -> list[dict[str, Any]]:
        """The workers that there are for our jobs, with their `capacity`, what of it is `free`, and their `site`."""
        match self._api.document("GET", "/resources"):
            case {"existing": list(workers)} if all(isinstance(worker, dict) for worker in workers):
                return workers
        raise self._api.strange()

    def pool(self) -> dict[str, Any]:
        """The pool as a whole, as docs/why.md has it: what waits and why, workers, clouds."""
        return self._api.document("GET", "/pool")

    def health(self) -> dict[str, Any]:
        """How each part of the service is, as docs/cli.md has it; for operators."""
        return self._api.document("GET", "/health/parts")

    def usage(self, start: str, end: str, *, by_group: bool = False, everyone: bool = False) -> Usage:
        """What jobs have used that ended from the one day to the other, as in 2026-05-01: hours, by user and by group.

        by_group: the sums of our groups. everyone: of all that we may see.
        """
        said = {"by_group": by_group, "show_all_users": everyone}
        flags = [(name, "true") for name, wanted in said.items() if wanted]
        match self._api.call("GET", "/accounting", query=[("start", start), ("end", end), *flags]):
            case {"usage": {"users": dict(users), "groups": dict(groups)}}:
                return {"users": users, "groups": groups}
        raise self._api.strange()

    def usage_by(self, by: str, start: str, end: str, of: str = "me") -> GroupedUsage:
        """The same told apart, such as by "user,month": `by` and `rows` as the API has them.

        of: "me" for our own, "groups" for what is charged to our groups, "all" for all that we may see.
        """
        query = [("by", by), ("start", start), ("end", end), ("of", of)]
        match self._api.call("GET", "/usage", query=query):
            case {"by": list(keys), "rows": list(rows)} if all(isinstance(row, dict) for row in rows):
                return {"by": keys, "rows": rows}
        raise self._api.strange()

    def usage_as_csv(self, by: str, start: str, end: str, of: str = "me") -> str:
        """The same as a table for spreadsheets."""
        query = [("by", by), ("start", start), ("end", end), ("of", of), ("format", "csv")]
        return self._api.send("GET", "/usage", query=query).text

    def logout(self) -> None:
        """Make the token that we use good for nothing."""
        self._api.send("POST", "/logout")

    def submit(self, job: JobSpec | Mapping[str, Any], idempotency_key: str | None = None) -> Job:
        """Submit a job, as a document or as `prominence.core.job` has it; the job in the queue. See `create_job`."""
        document = job if isinstance(job, Mapping) else job.as_written()
        return Job(self, self.create_job(document, idempotency_key))

    def get(self, job_id: view.JobId) -> Job:
        """The job with this id. Raises NoSuchJob."""
        return Job(self, job_id).refresh()

    def find(self, wanted: Wanted = QUEUED) -> Iterator[Job]:
        """The jobs that are wanted, however many there are; see `iterate`."""
        for document in self.iterate(wanted):
            match document:
                case {"id": int(job_id) | str(job_id)}:
                    yield Job(self, job_id, document)
                case _:
                    raise self._api.strange()

    def create_job(self, spec: Mapping[str, Any], idempotency_key: str | None = None) -> int:
        """Submit a job; its id. However often the request must be repeated, one job is made.

        idempotency_key: for who wants to repeat the call later, or elsewhere; absent: a new one.
        """
        return self._api.create("/jobs", spec, idempotency_key)

    def jobs(self, wanted: Wanted = QUEUED) -> list[view.Job]:
        """The jobs that are wanted: if nobody says, those in the queue."""
        return self._page(wanted)[0]

    def iterate(self, wanted: Wanted = QUEUED) -> Iterator[view.Job]:
        """The same, however many there are, asked for page by page: the newest first, if `sort` says nothing else."""
        page = replace(wanted, limit=wanted.limit or _PER_PAGE)
        while True:
            jobs, cursor = self._page(page)
            yield from jobs
            if cursor is None:
                return
            page = replace(page, cursor=cursor)

    def job(self, job_id: view.JobId) -> view.Job:
        """One job with all that is known of it. Raises NoSuchJob."""
        found = self._documents(self._api.call("GET", _at(job_id)))
        if not found:
            raise NoSuchJob(job_id)
        return found[0]

    def explain(self, job_id: view.JobId) -> dict[str, Any]:
        """Why a job is where it is, as docs/why.md has it: what it waits for, and when it may start."""
        return self._api.document("GET", _at(job_id, "/explain"))

    def watch_job(
        self, job_id: view.JobId, known: str = "", wait_s: int = 0, read: Mapping[Stream, int] = NOTHING
    ) -> News:
        """The job, at once if its version is not `known`, else as soon as there is news; after `wait_s` in any case.

        read: how many bytes of its output are known; more, or fewer, are news as well. Raises NoSuchJob.
        """
        query = [("wait", str(wait_s)), *((stream, str(size)) for stream, size in read.items())] if known else []
        headers = {"If-None-Match": f'"{known}"'} if known else {}
        with self._api.send("GET", _at(job_id), query=query, headers=headers) as response:
            version = response.headers.get("ETag", "").removeprefix("W/").strip('"')  # weak where a proxy compresses
            if response.status_code == HTTPStatus.NOT_MODIFIED:
                return News(None, version or known)
            found = self._documents(self._api.read(response))
        if not found:
            raise NoSuchJob(job_id)
        return News(found[0], version)

    def hold_job(self, job_id: view.JobId) -> None:
        """Let a job not start; one that runs is ended, and begins anew when it is released."""
        self._api.send("PUT", _at(job_id, "/hold"))

    def release_job(self, job_id: view.JobId) -> None:
        """Let a job on hold start again."""
        self._api.send("PUT", _at(job_id, "/release"))

    def edit_job(self, job_id: view.JobId, change: Mapping[str, Any]) -> None:
        """Change the parts of a waiting job that `change` has; of a running one, resources.walltime."""
        body = json.dumps(change).encode()
        self._api.send("PATCH", _at(job_id), body=body, headers={"Content-Type": "application/json"})

    def run_in_job(self, job_id: view.JobId, command: Sequence[str]) -> Printed:
        """Run a command in the container of the job's task, and wait for its end."""
        body = json.dumps({"command": list(command)}).encode()
        headers = {"Content-Type": "application/json"}
        match self._api.call("POST", _at(job_id, "/commands"), body=body, headers=headers):
            case {"exitCode": int(exit_code), "output": str(output), **more}:
                return Printed(exit_code, output, more.get("cut") is True)
        raise self._api.strange()

    def take_snapshot(self, job_id: view.JobId, path: str) -> str:
        """Have a file or a directory of a running job's home copied; where the copy is to be had."""
        self._api.send("PUT", _at(job_id, "/snapshot"), query=[("path", path)])
        match self._api.call("GET", _at(job_id, "/snapshot")):
            case {"url": str(url)}:
                return url
        raise self._api.strange()

    def clone_job(self, job_id: view.JobId) -> int:
        """Submit a job once more; the new one's id."""
        return self._api.id(self._api.call("PUT", _at(job_id, "/clone")))

    def remove_job(self, job_id: view.JobId) -> None:
        """Take a job out of the queue that has ended and stayed there."""
        self._api.send("PUT", _at(job_id, "/remove"))

    def delete_job(self, job_id: view.JobId) -> None:
        """Take a job out of the queue, ending it if it runs."""
        self._api.send("DELETE", _at(job_id))

    def output(self, job_id: view.JobId, stream: Stream, sink: Sink, offset: int = 0, node: int = 0) -> int | None:
        """Give what `stream` holds from byte `offset` on to `sink`, piece by piece. node: of a job that has several.

        Where to go on, if the API says so. Less than `offset`: the job has started again and written less so far.
        """
        here = [("offset", str(offset)), ("byte", str(offset))]  # older services know the first, and take it for bytes
        here += [("node", str(node))] if node else []
        response = self._api.send("GET", _at(job_id, f"/{stream}"), query=here, as_it_comes=True)
        with response:
            try:
                for piece in response.iter_content(_PIECE):
                    sink(piece)
            except (requests.RequestException, HTTPError) as error:
                raise self._api.unreachable(error) from error
        said = response.headers.get("X-Prominence-Offset", "")
        return int(said) if said.isascii() and said.isdigit() else None

    def web(self, url: str) -> requests.Session:
        """For an address that says all by itself: nothing of ours goes with a request."""
        return web(url, self._session)

    def _page(self, wanted: Wanted) -> tuple[list[view.Job], str | None]:
        """Jobs, and where to go on."""
        where = "/jobs" if wanted.array is None else f"/arrays/{wanted.array}/jobs"
        with self._api.send("GET", where, query=wanted.parameters()) as response:
            return self._documents(self._api.read(response)), response.headers.get("X-Prominence-Cursor")

    def _documents(self, answer: Any) -> list[view.Job]:
        if not isinstance(answer, list) or not all(isinstance(document, dict) for document in answer):
            raise self._api.strange()
        return answer


def _at(job_id: view.JobId, what: str = "") -> str:
    return f"/jobs/{quote(str(job_id), safe='')}{what}"
