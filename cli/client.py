"""The REST API as Python: one method per call, plain documents in and out, the errors of `prominence.cli.errors`.

`submit`, `get` and `find` give jobs as objects, with which one can go on: `client.submit(job).wait()`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import requests
from urllib3.exceptions import HTTPError

from prominence.cli import view
from prominence.cli.errors import ClientError, NoSuchJob
from prominence.cli.handle import Job
from prominence.cli.keys import Keys
from prominence.cli.listing import QUEUED, Wanted
from prominence.cli.news import NOTHING, News, Printed, Sink, Stream
from prominence.cli.objects import Objects
from prominence.cli.tokens import Tokens
from prominence.cli.transport import IDEMPOTENCY_KEY, Token, Transport, web

if TYPE_CHECKING:
    from prominence.core.job import JobSpec  # takes long to import, and commands do not need it

_PIECE = 64 * 1024
_PER_PAGE = 1000


class Client:
    """One API, one identity. `url` ends with the API's base path: https://host/prominence/v1."""

    def __init__(self, url: str, token: Token, session: requests.Session | None = None) -> None:
        self._api = Transport(url, token, session)
        self._session = session
        self.kv = Keys(self._api)
        self.data = Objects(self._api, self.web)
        self.tokens = Tokens(self._api)

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

    def logout(self) -> None:
        """Make the token that we use good for nothing."""
        self._api.send("POST", "/logout")

    def submit(self, job: JobSpec | Mapping[str, Any], idempotency_key: str | None = None) -> Job:
        """Submit a job, as a document or as `prominence.core.job` has it; the job in the queue. See `create_job`."""
        document = job if isinstance(job, Mapping) else job.model_dump(mode="json", exclude_unset=True)
        return Job(self, self.create_job(document, idempotency_key))

    def get(self, job_id: int) -> Job:
        """The job with this id. Raises NoSuchJob."""
        return Job(self, job_id).refresh()

    def find(self, wanted: Wanted = QUEUED) -> Iterator[Job]:
        """The jobs that are wanted, however many there are; see `iterate`."""
        for document in self.iterate(wanted):
            match document:
                case {"id": int(job_id)}:
                    yield Job(self, job_id, document)
                case _:
                    raise self._api.strange()

    def create_job(self, spec: Mapping[str, Any], idempotency_key: str | None = None) -> int:
        """Submit a job; its id. However often the request must be repeated, one job is made.

        idempotency_key: for who wants to repeat the call later, or elsewhere; absent: a new one.
        """
        try:
            body = json.dumps(spec, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ClientError(f"The job cannot be written as JSON: {error}.") from error
        key = idempotency_key or str(uuid.uuid4())
        return self._id(self._api.call("POST", "/jobs", body=body, headers={IDEMPOTENCY_KEY: key}))

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

    def job(self, job_id: int) -> view.Job:
        """One job with all that is known of it. Raises NoSuchJob."""
        found = self._documents(self._api.call("GET", f"/jobs/{job_id}"))
        if not found:
            raise NoSuchJob(job_id)
        return found[0]

    def watch_job(self, job_id: int, known: str = "", wait_s: int = 0, read: Mapping[Stream, int] = NOTHING) -> News:
        """The job, at once if its version is not `known`, else as soon as there is news; after `wait_s` in any case.

        read: how many bytes of its output are known; more, or fewer, are news as well. Raises NoSuchJob.
        """
        query = [("wait", str(wait_s)), *((stream, str(size)) for stream, size in read.items())] if known else []
        headers = {"If-None-Match": f'"{known}"'} if known else {}
        with self._api.send("GET", f"/jobs/{job_id}", query=query, headers=headers) as response:
            version = response.headers.get("ETag", "").strip('"')
            if response.status_code == HTTPStatus.NOT_MODIFIED:
                return News(None, version or known)
            found = self._documents(self._api.read(response))
        if not found:
            raise NoSuchJob(job_id)
        return News(found[0], version)

    def hold_job(self, job_id: int) -> None:
        """Let a job not start; one that runs is ended, and begins anew when it is released."""
        self._api.send("PUT", f"/jobs/{job_id}/hold")

    def release_job(self, job_id: int) -> None:
        """Let a job on hold start again."""
        self._api.send("PUT", f"/jobs/{job_id}/release")

    def edit_job(self, job_id: int, change: Mapping[str, Any]) -> None:
        """Change the parts of a waiting job that `change` has: labels, resources.walltime, policies."""
        body = json.dumps(change).encode()
        self._api.send("PATCH", f"/jobs/{job_id}", body=body, headers={"Content-Type": "application/json"})

    def run_in_job(self, job_id: int, command: Sequence[str]) -> Printed:
        """Run a command in the container of the job's task, and wait for its end."""
        body = json.dumps({"command": list(command)}).encode()
        headers = {"Content-Type": "application/json"}
        match self._api.call("POST", f"/jobs/{job_id}/commands", body=body, headers=headers):
            case {"exitCode": int(exit_code), "output": str(output), **more}:
                return Printed(exit_code, output, more.get("cut") is True)
        raise ClientError("The service does not say what the command has printed.")

    def clone_job(self, job_id: int) -> int:
        """Submit a job once more; the new one's id."""
        return self._id(self._api.call("PUT", f"/jobs/{job_id}/clone"))

    def remove_job(self, job_id: int) -> None:
        """Take a job out of the queue that has ended and stayed there."""
        self._api.send("PUT", f"/jobs/{job_id}/remove")

    def delete_job(self, job_id: int) -> None:
        """Take a job out of the queue, ending it if it runs."""
        self._api.send("DELETE", f"/jobs/{job_id}")

    def output(self, job_id: int, stream: Stream, sink: Sink, offset: int = 0) -> int | None:
        """Give what `stream` holds from byte `offset` on to `sink`, piece by piece.

        Where to go on, if the API says so. Less than `offset`: the job has started again and written less so far.
        """
        here = [("offset", str(offset)), ("byte", str(offset))]  # older services know the first, and take it for bytes
        response = self._api.send("GET", f"/jobs/{job_id}/{stream}", query=here, as_it_comes=True)
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
        with self._api.send("GET", "/jobs", query=wanted.parameters()) as response:
            return self._documents(self._api.read(response)), response.headers.get("X-Prominence-Cursor")

    def _id(self, answer: Any) -> int:
        match answer:
            case {"id": int(job_id)}:
                return job_id
        raise self._api.strange()

    def _documents(self, answer: Any) -> list[view.Job]:
        if not isinstance(answer, list) or not all(isinstance(document, dict) for document in answer):
            raise self._api.strange()
        return answer
