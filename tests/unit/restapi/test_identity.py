"""Who may do what to whose jobs, and whom a job is charged to: the whole of it as tables."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Forbidden, Rejected
from prominence.restapi.identity import Account, Act, Appointments, Identity, Role, Scope, charged, may, need

ALICES = Account("alice", "physics")
HERS = {
    "owner": Identity("alice", ("physics",)),
    "colleague in the group": Identity("bob", ("physics",)),
    "manager of the group": Identity("mia", ("physics",), manages=frozenset({"physics"})),
    "manager of another group": Identity("max", ("physics",), manages=frozenset({"chemistry"})),
    "operator": Identity("olga", operator=True),
    "operator with a token for less": Identity("olga", operator=True, scopes=frozenset({Scope.JOBS_READ})),
    "manager with a token for less": Identity(
        "mia", manages=frozenset({"physics"}), scopes=frozenset({Scope.JOBS_WRITE})
    ),
    "service": Identity("service:portal", ("physics",), service=True),
    "stranger": Identity("eve"),
}
LOOKS_AFTER = {Act.SEE, Act.CHANGE, Act.REMOVE}
TABLE: dict[str, dict[Act, Role]] = {
    "owner": dict.fromkeys(Act, Role.OWNER),
    "colleague in the group": {},
    "manager of the group": dict.fromkeys(LOOKS_AFTER, Role.MANAGER),
    "manager of another group": {},
    "operator": dict.fromkeys(LOOKS_AFTER, Role.OPERATOR),
    "operator with a token for less": {},
    "manager with a token for less": {},
    "service": {},
    "stranger": {},
}


@pytest.mark.parametrize(("who", "act"), list(itertools.product(HERS, Act)), ids=str)
def test_each_role_may_do_what_the_table_says_and_no_more(who: str, act: Act) -> None:
    assert may(HERS[who], act, ALICES) is TABLE[who].get(act)


NAMES = st.text(min_size=1, max_size=5)


@given(NAMES, NAMES, NAMES, NAMES, st.sampled_from(Act))
def test_names_count_as_a_whole(user: str, owner: str, group: str, managed: str, act: Act) -> None:
    caller = Identity(user, (group,), manages=frozenset({managed}))
    allowed = may(caller, act, Account(owner, group))
    assert (allowed is Role.OWNER) == (user == owner)
    assert (allowed is Role.MANAGER) == (user != owner and managed == group and act in LOOKS_AFTER)


def test_nobody_manages_the_jobs_that_have_no_group() -> None:
    assert may(Identity("mia", manages=frozenset({""})), Act.SEE, Account("alice")) is None


APPOINTMENTS = Appointments(
    operators=frozenset({"olga"}),
    operator_groups=frozenset({"ops"}),
    managers={"physics": frozenset({"mia"}), "chemistry": frozenset({"mia", "max"})},
)


@pytest.mark.parametrize(
    ("caller", "operator", "manages", "service"),
    [
        (Identity("olga"), True, [], False),
        (Identity("olga2"), False, [], False),
        (Identity("ann", ("ops",)), True, [], False),
        (Identity("ann", ("ops2", "/ops", "op")), False, [], False),
        (Identity("ops"), False, [], False),
        (Identity("mia"), False, ["chemistry", "physics"], False),
        (Identity("max", ("physics",)), False, ["chemistry"], False),
        (Identity("service:portal"), False, [], True),
        (Identity("services"), False, [], False),
    ],
    ids=lambda value: value.user if isinstance(value, Identity) else str(value),
)
def test_the_operators_settings_say_who_is_more_than_a_user(
    caller: Identity, operator: bool, manages: list[str], service: bool
) -> None:
    appointed = APPOINTMENTS.appoint(caller)
    assert (appointed.operator, sorted(appointed.manages), appointed.service) == (operator, manages, service)


def test_nobody_brings_a_role_along() -> None:
    caller = Identity("eve", operator=True, manages=frozenset({"physics"}), service=True)
    assert APPOINTMENTS.appoint(caller) == Identity("eve")


SEVERAL, ONE, NONE = Identity("a", ("physics", "/vo/chemistry")), Identity("a", ("physics",)), Identity("a")


@pytest.mark.parametrize(
    ("caller", "wanted", "default", "group"),
    [
        (SEVERAL, None, "first", "physics"),
        (SEVERAL, None, "none", ""),
        (SEVERAL, None, "ask", "is needed here, since you are in several groups; yours are physics, /vo/chemistry"),
        (SEVERAL, "/vo/chemistry", "first", "/vo/chemistry"),
        (SEVERAL, "/vo/chemistry", "none", "/vo/chemistry"),
        (SEVERAL, "/vo", "first", "you are not in this group; yours are physics, /vo/chemistry"),
        (SEVERAL, "phys", "first", "you are not in this group; yours are physics, /vo/chemistry"),
        (SEVERAL, "Physics", "first", "you are not in this group; yours are physics, /vo/chemistry"),
        (ONE, None, "ask", "physics"),
        (NONE, None, "first", ""),
        (NONE, None, "ask", ""),
        (NONE, "physics", "first", "you are not in this group; you are in none"),
    ],
)
def test_a_job_is_charged_to_one_of_its_users_groups(
    caller: Identity, wanted: str | None, default: str, group: str
) -> None:
    try:
        assert charged(caller, wanted, default) == Account("a", group)
    except Rejected as error:
        assert str(error) == f"group: {group}"


def test_a_token_must_be_good_for_all_that_is_needed() -> None:
    caller = Identity("alice", scopes=frozenset({Scope.JOBS_READ}))
    need(caller, Scope.JOBS_READ)
    with pytest.raises(Forbidden, match=r"The token is not good for this; it would need jobs:write\."):
        need(caller, Scope.JOBS_READ, Scope.JOBS_WRITE)
