"""What becomes of a bootstrap secret: traded once, by one, in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from builders import NOON
from builders_imc import at
from hypothesis import given
from hypothesis import strategies as st

from prominence.imc import trades
from prominence.imc.trades import Outcome, Trade

SECRET, MINE, THEIRS = "the secret", "the worker's key", "somebody else's key"
IN_TIME, TOO_LATE = at(99), at(100)


def fresh() -> Trade:
    return trades.offered(None, SECRET, at(100))


def show(trade: Trade, *shown: tuple[str, str, datetime]) -> tuple[list[Outcome], Trade]:
    outcomes = []
    for key, secret, now in shown:
        outcome, trade = trades.shown(trade, key, secret, now)
        outcomes.append(outcome)
    return outcomes, trade


def test_the_first_key_that_comes_with_the_secret_in_time_is_the_workers() -> None:
    outcomes, trade = show(fresh(), (MINE, SECRET, IN_TIME), (MINE, "", TOO_LATE))
    assert outcomes == [Outcome.TRADED, Outcome.KNOWN]
    assert (trade.traded_at, trade.refused, trade.told) == (IN_TIME, 0, "")


def test_an_answer_that_was_lost_may_be_asked_for_again() -> None:
    assert show(fresh(), *[(MINE, SECRET, IN_TIME)] * 3)[0] == [Outcome.TRADED, Outcome.KNOWN, Outcome.KNOWN]


def test_a_replay_is_refused_and_told() -> None:
    outcomes, trade = show(fresh(), (MINE, SECRET, IN_TIME), (THEIRS, SECRET, TOO_LATE), (MINE, "", TOO_LATE))
    assert outcomes == [Outcome.TRADED, Outcome.USED, Outcome.KNOWN]
    assert trade.refused == 1
    assert "somebody else" in trade.told and TOO_LATE.isoformat() in trade.told


def test_who_was_first_cannot_be_told_while_the_worker_may_be_booting() -> None:
    outcomes, trade = show(fresh(), (THEIRS, SECRET, at(1)), (MINE, SECRET, at(2)))
    assert outcomes == [Outcome.TRADED, Outcome.DISPUTED]
    assert "shown by two" in trade.told


def test_a_secret_that_comes_late_is_good_for_nothing() -> None:
    outcomes, trade = show(fresh(), (MINE, SECRET, TOO_LATE))
    assert outcomes == [Outcome.EXPIRED]
    assert (trade.key_hash, trade.refused) == ("", 1)


def test_a_key_without_the_secret_is_nobodys() -> None:
    for secret in ("", "another", SECRET[:-1], SECRET + " ", trades.digest(SECRET)):
        assert show(fresh(), (MINE, secret, IN_TIME)) == ([Outcome.WRONG], fresh())


def test_what_is_kept_is_no_key_and_no_secret() -> None:
    kept = show(fresh(), (MINE, SECRET, IN_TIME))[1]
    assert SECRET not in kept.model_dump_json() and MINE not in kept.model_dump_json()
    stolen = [(kept.key_hash, "", IN_TIME), (kept.key_hash, kept.secret_hash, IN_TIME), ("", "", IN_TIME)]
    assert show(kept, *stolen)[0] == [Outcome.WRONG] * 3


def test_the_second_request_for_a_machine_changes_nothing_that_was_traded() -> None:
    traded = show(fresh(), (MINE, SECRET, IN_TIME))[1]
    assert trades.offered(traded, SECRET, at(500)) == traded
    assert trades.offered(fresh(), SECRET, at(500)).expires_at == at(500)


def test_another_machine_of_the_same_name_has_a_trade_of_its_own() -> None:
    traded = show(fresh(), (MINE, SECRET, IN_TIME))[1]
    anew = trades.offered(traded, "another secret", at(500))
    assert show(anew, (MINE, "", at(400)), (MINE, SECRET, at(400)))[0] == [Outcome.WRONG] * 2


_SHOWN = st.tuples(
    st.sampled_from([MINE, THEIRS, "a third", ""]),
    st.sampled_from([SECRET, "", "wrong"]),
    st.integers(0, 200).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)


@given(st.lists(_SHOWN, max_size=20))
def test_whatever_is_shown_one_key_at_most_is_ever_good(shown: list[tuple[str, str, datetime]]) -> None:
    outcomes, _ = show(fresh(), *shown)
    good = [one for one, outcome in zip(shown, outcomes, strict=True) if outcome.is_good]
    assert len({key for key, _, _ in good}) <= 1
    assert outcomes.count(Outcome.TRADED) <= 1
    assert all(secret == SECRET and now < TOO_LATE for _, secret, now in good[:1])
