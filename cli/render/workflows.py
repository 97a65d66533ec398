"""Workflows: a table of them, all that is told of one, and how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prominence.cli import view
from prominence.cli.render.jobs import job_progress
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, field, pairs, plain, utc

WORKFLOW_COLUMNS = ("ID", "NAME", "CREATED", "STATUS", "JOBS")


def table_of_workflows(found: Iterable[Mapping[str, Any]]) -> str:
    """A row for each workflow."""
    rows = (
        (
            *(plain(one.get("id")), clean(view.text(one, "name")), utc(view.moment(one, "createTime"))),
            *(clean(view.status(one)), _counts(one)),
        )
        for one in found
    )
    return table(WORKFLOW_COLUMNS, rows)


def description_of_workflow(document: Mapping[str, Any]) -> str:
    """A workflow as people read it: one fact per line."""
    facts = (
        ("Workflow", plain(document.get("id"))),
        ("Name", clean(view.text(document, "name"))),
        ("Status", job_progress(document)),
        ("Group", clean(view.text(document, "group"))),
        ("Created", utc(view.moment(document, "createTime"))),
        ("Started", utc(view.moment(document, "startTime"))),
        ("Ended", utc(view.moment(document, "endTime"))),
        ("Labels", pairs(view.mapping(document, "labels"))),
        ("Jobs", _counts(document)),
    )
    return "\n".join(field(name, value) for name, value in facts if value)


def failure(node: Mapping[str, Any]) -> str:
    """A node, its values and why it has failed: "19 fit/3 (x=0.2): failed: Task 0 ended with exit code 3."."""
    values = pairs(view.mapping(node, "parameters"))
    return f"{plain(node.get('id'))} {node_name(node)}{f' ({values})' if values else ''}: {job_progress(node)}"


def node_name(node: Mapping[str, Any]) -> str:
    """As the API takes it: the job's name, and behind it the number of the instance, if there are several."""
    name = clean(view.text(node, "job"))
    return f"{name}/{plain(node.get('instance'))}" if "instance" in node else name


def workflow_progress(document: Mapping[str, Any], passed_s: float) -> str:
    """How a workflow is, in one line; behind the semicolon how fast, and when it may end, as far as one can tell."""
    counts = view.mapping(document, "progress")
    done, total = (counts.get(name) for name in ("done", "total"))
    told = f"{clean(view.status(document))}, {_counts(document)}"
    if (
        view.status(document) != "running"
        or not isinstance(done, int)
        or not isinstance(total, int)
        or done < 1
        or passed_s <= 0
        or done >= total
    ):
        return told
    return f"{told}; {done / passed_s * 60:.1f} a minute, perhaps {(total - done) * passed_s / done / 60:.0f} min more"


def _counts(document: Mapping[str, Any]) -> str:
    """Such as "17 of 20 done, 1 failed, 2 queued"."""
    counts = view.mapping(document, "progress")
    others = (f"{plain(counts.get(name))} {name}" for name in ("failed", "queued", "waiting") if counts.get(name))
    return ", ".join([f"{plain(counts.get('done'))} of {plain(counts.get('total'))} done", *others])
