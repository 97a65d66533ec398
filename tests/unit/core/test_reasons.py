"""Whatever happens to a job, its owner gets a sentence."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.reasons import MEANINGS, Blame, Reason, explain

WORDS = [reason.value for reason in Reason]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_meaning(reason: Reason) -> None:
    meaning = MEANINGS[reason]
    assert meaning.sentence.endswith(".")
    assert not meaning.advice or meaning.advice.endswith(".")
    assert meaning.blame in Blame
    assert reason.value.isalpha() and reason.value[0].isupper()


def test_no_word_is_used_twice() -> None:
    assert len(set(WORDS)) == len(WORDS) == len(MEANINGS)


@pytest.mark.parametrize("reason", Reason)
def test_a_field_that_nobody_knows_is_called_unknown(reason: Reason) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(MEANINGS[reason].sentence) if name]
    sentence = explain(reason)
    assert sentence.count("unknown") == len(names)
    assert "{" not in sentence
    filled = explain(reason, **{name: f"<{name}>" for name in names})
    assert all(f"<{name}>" in filled for name in names)


@given(st.sampled_from(Reason), st.dictionaries(st.text() | st.sampled_from(["reason", "detail", "worker"]), st.text()))
def test_explaining_never_fails(reason: Reason, fields: dict[str, Any]) -> None:
    assert explain(reason, **fields)


def test_advice_follows_the_sentence() -> None:
    assert explain(Reason.MEMORY_EXCEEDED, used="2 GB", limit="1 GB") == (
        "The job needed more than its memory: 2 GB of 1 GB. Ask for more resources.memory."
    )
