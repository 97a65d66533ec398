"""UsageStore in Elasticsearch, by its official client: one process brings the accounts there, any number read.

What is there, and what is asked of it, is said in `restapi.usage_index`; what has yet to be brought is in the accounts'
own file on disk (`adapters.outbox`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elasticsearch import ApiError, Elasticsearch, NotFoundError, TransportError

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.restapi import usage_index
from prominence.restapi.adapters.outbox import Sending
from prominence.restapi.copying import Backlog, Entry, Taken
from prominence.restapi.usage import By, Key, Period, Sum, Whose

log = logs.get(__name__)

RETRY_AFTER_S = 5
PATIENCE_S = 20.0
"""For an answer."""

_KEPT_OPEN = "2m"
_NOT_NOW = (408, 429)
_NO_SUCH_THING = (400, 404, 405, 410)
"""What servers say of a part of the API that they do not have."""


Client = Elasticsearch


def connect(
    urls: Sequence[str], ca_file: Path | None = None, login: tuple[str, str] | None = None, api_key: str | None = None
) -> Elasticsearch:
    """A client; nothing is asked yet. login: a user and their password."""
    trust: dict[str, Any] = {} if ca_file is None else {"ca_certs": str(ca_file)}
    return Elasticsearch(
        list(urls),
        **trust,
        basic_auth=login,
        api_key=api_key,
        request_timeout=PATIENCE_S,
        max_retries=0 if len(urls) == 1 else len(urls) - 1,
        retry_on_timeout=False,
    )


@dataclass
class _Moment:
    """name: by which the server knows it; it may call it otherwise with each answer."""

    name: str


class ElasticsearchUsage:
    """For those who read. prefix: that the indices' names begin with. sending: how far the store has been told."""

    def __init__(self, client: Elasticsearch, prefix: str, sending: Sending) -> None:
        self._client, self._indices, self._sending = client, f"{prefix}-usage-*", sending

    def by_user(self, period: Period, user: str, groups: Collection[str] | None) -> dict[str, Sum]:
        whose = Whose(user, None if groups is None else frozenset(groups))
        theirs = usage_index.of_whom(whose, also_nobodys=True)
        return {name: one for (name,), one in self._sums([By(Key.USER)], period, theirs).items()}

    def by_group(self, period: Period, groups: Collection[str] | None) -> dict[str, Sum]:
        theirs = usage_index.of_whom(Whose(groups=None if groups is None else frozenset(groups)))
        return {name: one for (name,), one in self._sums([By(Key.GROUP)], period, theirs).items() if name}

    def grouped(self, by: Sequence[By], period: Period, whose: Whose) -> dict[tuple[str, ...], Sum]:
        return self._sums(by, period, usage_index.of_whom(whose))

    def answers(self) -> None:
        """Whether it does. Raises Unavailable."""
        with _translated("answer"):
            self._client.search(index=self._indices, size=0, allow_no_indices=True)

    def backlog(self) -> Backlog:
        """What it has yet to be told. Raises Unavailable."""
        return self._sending.backlog()

    def _sums(
        self, by: Sequence[By], period: Period, theirs: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[str, ...], Sum]:
        self._sending.catch_up()
        found: dict[tuple[str, ...], Sum] = {}
        with _translated("add up usage"), self._as_it_is_now() as moment:
            for question in usage_index.questions(by):
                asked = question.filter()
                asked["filter"] = [usage_index.of_period(period), *theirs, *asked["filter"]]
                for names, sums in self._answers(question, {"bool": asked}, moment):
                    found[names] = found.get(names, Sum()) + sums
        return {names: sums for names, sums in found.items() if sums.core_ms > 0}

    @contextmanager
    def _as_it_is_now(self) -> Iterator[_Moment]:
        """A view of all that the server has got, in which nothing is written while one reads on, page after page."""
        self._client.indices.refresh(index=self._indices)
        moment = _Moment(self._client.open_point_in_time(index=self._indices, keep_alive=_KEPT_OPEN)["id"])
        try:
            yield moment
        finally:
            self._client.close_point_in_time(id=moment.name)

    def _answers(
        self, question: usage_index.Question, query: Mapping[str, Any], moment: _Moment
    ) -> Iterator[tuple[tuple[str, ...], Sum]]:
        if question.is_whole:
            answer = self._ask(query, moment, usage_index.SUMS)
            names = question.names({})
            assert names is not None
            yield names, usage_index.sum_of(answer["aggregations"], answer["hits"]["total"]["value"])
            return
        behind = question.first()
        while True:
            pages: dict[str, Any] = {"size": usage_index.PAGE, "sources": question.sources()}
            if behind is not None:
                pages["after"] = behind
            asked = {"rows": {"composite": pages, "aggregations": usage_index.SUMS}}
            page = self._ask(query, moment, asked)["aggregations"]["rows"]
            for bucket in page["buckets"]:
                if (told := question.names(bucket["key"])) is not None:
                    yield told, usage_index.sum_of(bucket, bucket["doc_count"])
            behind = page.get("after_key")
            if behind is None or question.is_past(behind):
                return

    def _ask(self, query: Mapping[str, Any], moment: _Moment, aggregations: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._client.search(
            pit={"id": moment.name, "keep_alive": _KEPT_OPEN},
            query=query,
            aggregations=aggregations,
            size=0,
            track_total_hits=True,
            allow_partial_search_results=False,
        )
        found: Mapping[str, Any] = answer.body
        moment.name = found.get("pit_id", moment.name)
        return found


class ElasticsearchCopy:
    """For the one who brings what has been booked."""

    def __init__(self, client: Elasticsearch, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def prepare(self) -> bool:
        """See to the template and the policy; False where there is no index yet."""
        name = f"{self._prefix}-usage"
        with _translated("take the index template"):
            self._client.indices.put_index_template(name=name, **usage_index.template(self._prefix, self._policy(name)))
            is_there = bool(self._client.indices.exists(index=f"{name}-*", allow_no_indices=False))
            if is_there:  # which may have been made before there were all of the fields
                self._client.indices.put_mapping(index=f"{name}-*", properties=usage_index.PROPERTIES)
            else:  # so that readers find something
                self._client.indices.create(index=usage_index.first_index(self._prefix))
            return is_there

    def take(self, entries: Sequence[Entry]) -> Taken:
        """Keep them. What comes late, behind something newer of the same attempt, is passed over."""
        operations: list[Mapping[str, Any]] = []
        for one in entries:
            run = one.record.run
            place = {"_index": usage_index.index_of(run, self._prefix), "_id": usage_index.id_of(run)}
            operations.append({"index": {**place, "version": one.number, "version_type": "external"}})
            operations.append(usage_index.document(one.record))
        with _translated("take usage"):
            answer = self._client.bulk(operations=operations)
        results = zip(entries, (item["index"] for item in answer["items"]), strict=True)
        sent, refused = [], {}
        for entry, result in results:
            status = result["status"]
            if status < 300 or status == 409:
                sent.append(entry.number)
            elif status < 500 and status not in _NOT_NOW:
                refused[entry.number] = str(result.get("error", {}).get("reason", status))
        return Taken(sent, refused)

    def _policy(self, name: str) -> str | None:
        """The name of the policy by which indices age. One that is there stays as it is: it is the operator's."""
        try:
            try:
                self._client.ilm.get_lifecycle(name=name)
            except NotFoundError as error:
                log.debug("there is no lifecycle policy yet", error=str(error))
                self._client.ilm.put_lifecycle(name=name, policy=usage_index.POLICY)
        except ApiError as error:
            if error.status_code not in (*_NO_SUCH_THING, 403):
                raise
            log.warning(
                "this server has no lifecycle policies (ILM), or they are not for us: indices stay where they are",
                status=error.status_code,
            )
            return None
        return name


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        log.error("the store of usage refused", asked_to=what, error=str(error))
        raise Unavailable(f"Elasticsearch did not {what}: it answers {error.status_code}.", RETRY_AFTER_S) from error
    except TransportError as error:
        log.warning("the store of usage does not answer", asked_to=what, error=str(error))
        raise Unavailable("Elasticsearch does not answer at the moment.", RETRY_AFTER_S) from error
