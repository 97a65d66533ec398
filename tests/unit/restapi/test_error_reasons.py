"""Every error of every operation has a word that fits its status; which may come at each, docs/api.md says."""

from __future__ import annotations

import pytest
from builders_restapi import WORDS_AT, Api, an_api
from endpoints import A_JOBS, ANYBODY, ENDPOINTS, SIGNED, Endpoint
from werkzeug.test import TestResponse

from prominence.core.error_reasons import ErrorReason
from prominence.restapi.operations import BASE_PATH

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.rule}")

NOTHING = {"job": "97", "array": "98", "workflow": "99", "key": "nothing", "id": "0" * 32, "webhook": "f" * 32}


def word(answer: TestResponse) -> ErrorReason | None:
    """Of an error; `Api.call` has seen already that it is one for its status."""
    return ErrorReason(answer.json["reasonCode"]) if answer.status_code >= 400 and answer.json else None


def asked_for_nothing(api: Api, endpoint: Endpoint, **more: object) -> TestResponse:
    sent = {"data": endpoint.body} if isinstance(endpoint.body, str) else {"json": endpoint.body}
    return api.call(endpoint.method, endpoint.path(**NOTHING), **{**sent, **more})


@every_endpoint
def test_without_a_token_it_says_so(endpoint: Endpoint) -> None:
    answer = asked_for_nothing(an_api().as_user("nobody"), endpoint)
    needs_one = endpoint.scope not in (ANYBODY, SIGNED)
    assert (word(answer) is ErrorReason.UNAUTHENTICATED) == needs_one, answer.text
    if endpoint.scope is SIGNED:
        assert word(answer) in (ErrorReason.FORBIDDEN, ErrorReason.INVALID_REQUEST, ErrorReason.NOT_FOUND)


@every_endpoint
def test_another_method_is_no_operation(endpoint: Endpoint) -> None:
    answer = an_api().call("TRACE", endpoint.path(**NOTHING))
    assert word(answer) is ErrorReason.NO_SUCH_OPERATION


@every_endpoint
def test_what_is_not_there_and_what_is_no_document_are_told_apart(endpoint: Endpoint) -> None:
    fine = word(asked_for_nothing(an_api(), endpoint))
    wrong = {ErrorReason.INVALID_REQUEST, ErrorReason.TOO_LARGE, ErrorReason.INTERNAL_ERROR}
    if endpoint.scope not in (SIGNED, A_JOBS):
        assert fine not in wrong, "the document was right"
    if endpoint.body is not None and not isinstance(endpoint.body, str):
        rubbish = word(asked_for_nothing(an_api(), endpoint, json={"nonsense": []}))
        assert rubbish in (ErrorReason.INVALID_REQUEST, fine), "what is asked for may be looked at first"


@every_endpoint
def test_while_the_store_or_the_queue_is_away_nobody_else_is_blamed(endpoint: Endpoint) -> None:
    api = an_api()
    fine = word(asked_for_nothing(api, endpoint))
    api.queue.unavailable, api.store.unavailable = "The schedd is away.", "etcd is down"
    assert word(asked_for_nothing(api, endpoint)) in (ErrorReason.UNAVAILABLE, fine)


def test_an_address_that_leads_nowhere_and_a_body_without_end_have_a_word_as_well() -> None:
    assert word(an_api().call("GET", "/nothing")) is ErrorReason.NO_SUCH_OPERATION
    assert word(an_api(max_body=10).call("POST", "/jobs", data=b" " * 11)) is ErrorReason.TOO_LARGE


def test_the_description_names_all_words() -> None:
    description = an_api().client.get(f"{BASE_PATH}/openapi.json").json
    assert description is not None
    schemas = description["components"]["schemas"]
    assert schemas["ErrorReason"]["enum"] == [one.value for one in ErrorReason]
    assert {"error", "reasonCode"} == set(schemas["Error"]["required"])


def test_the_page_has_every_word() -> None:
    assert frozenset().union(*WORDS_AT.values()) == set(ErrorReason)
