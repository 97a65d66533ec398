"""Selection -> ClassAd constraint: which jobs are meant, in the words of HTCondor's queries. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from prominence.core import classads
from prominence.restapi.selection import Selection
from prominence.restapi.translate.submit import JOB


def constraint(selection: Selection) -> str:
    """True for the jobs that are selected, and for no others. Raises Rejected for a label that cannot be."""
    return " && ".join(f"({term})" for term in _terms(selection))


def _terms(selection: Selection) -> Iterator[str]:
    # ClassAd's == does not tell Alice from alice; =?= does, and an attribute that is not there equals no text.
    yield _is(classads.JOB_TYPE, JOB)
    if selection.user is not None:
        yield _is(classads.IDENTITY, selection.user)
    if selection.ids is not None:
        yield classads.any_of(f"{classads.CLUSTER_ID} == {job_id:d}" for job_id in selection.ids)
    if selection.uid is not None:
        yield _is(classads.JOB_UID, selection.uid)
    if selection.statuses is not None:
        yield classads.any_of(f"{classads.JOB_STATUS} == {status:d}" for status in selection.statuses)
    if selection.name is not None:
        yield _is(classads.JOB_NAME, selection.name)
    for key, value in selection.labels:
        yield _is(classads.label(key), value)


def _is(attribute: str, text: str) -> str:
    return f"{attribute} =?= {classads.text_literal(text)}"
