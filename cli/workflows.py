"""The user's workflows: many jobs in one document. Their jobs are jobs: see `Client.find`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from prominence.cli.transport import Transport

Documents = list[dict[str, Any]]

_PER_PAGE = 1000


class Workflows:
    """What is done with many jobs at once."""

    def __init__(self, api: Transport) -> None:
        self._api = api

    def submit(self, workflow: Mapping[str, Any], idempotency_key: str | None = None) -> int:
        """Submit a workflow; its id. However often the request must be repeated, one is made."""
        return self._api.create("/workflows", workflow, idempotency_key)

    def list(self, everything: bool = False, limit: int = 100) -> Documents:
        """Those in the queue, or with `everything` those that have left it too; the newest first."""
        query = [("sort", "-id"), ("limit", str(limit)), *([("all", "true")] if everything else [])]
        return self._documents(self._api.call("GET", "/workflows", query=query))

    def get(self, workflow_id: int) -> dict[str, Any] | None:
        """One of them, with all that is known of it; None when there is none."""
        found = self._documents(self._api.call("GET", f"/workflows/{workflow_id}"))
        return found[0] if found else None

    def nodes(self, workflow_id: int, status: str | None = None) -> Iterator[dict[str, Any]]:
        """How each instance of each of its jobs is, in the order of the document, asked for page by page.

        status: one or several with commas between them; None: all.
        """
        query = [("limit", str(_PER_PAGE)), *([("status", status)] if status else [])]
        cursor: str | None = ""
        while cursor is not None:
            page = [*query, *([("cursor", cursor)] if cursor else [])]
            with self._api.send("GET", f"/workflows/{workflow_id}/nodes", query=page) as response:
                yield from self._documents(self._api.read(response))
                cursor = response.headers.get("X-Prominence-Cursor")

    def jobs(self, job_ids: Sequence[int]) -> Documents:
        """These of its jobs, with all that is known of each; at most 1000."""
        query = [("id", ",".join(map(str, job_ids))), ("detail", "true"), ("limit", str(_PER_PAGE))]
        return self._documents(self._api.call("GET", "/jobs", query=query))

    def rerun(self, workflow_id: int) -> int:
        """Run again what of it is not done; the number of the new run."""
        return self._api.id(self._api.call("PUT", f"/workflows/{workflow_id}"))

    def clone(self, workflow_id: int) -> int:
        """Submit all of it once more; the new one's id."""
        return self._api.id(self._api.call("PUT", f"/workflows/{workflow_id}/clone"))

    def delete(self, workflow_id: int) -> None:
        """End it and all its jobs."""
        self._api.send("DELETE", f"/workflows/{workflow_id}")

    def remove(self, workflow_id: int) -> None:
        """Take one out of the queue that has ended and stayed there."""
        self._api.send("PUT", f"/workflows/{workflow_id}/remove")

    def output(self, workflow_id: int, job: str, stream: str) -> bytes:
        """What a job of it has printed. job: its name, and behind it perhaps a / and the number of an instance."""
        return self._api.send("GET", f"/workflows/{workflow_id}/{quote(job)}/{stream}").content

    def _documents(self, answer: Any) -> Documents:
        if not _are_documents(answer):
            raise self._api.strange()
        found: Documents = answer
        return found


def _are_documents(answer: Any) -> bool:
    return isinstance(answer, list) and all(isinstance(one, dict) for one in answer)
