"""Whatever is not granted has a word that programs know, and somebody who can do something about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import errors
from prominence.core.error_reasons import ERROR_MEANINGS, PASSING, ErrorReason, body, of_status
from prominence.core.errors import ProminenceError
from prominence.core.reasons import Blame, Reason


def tree(kind: type[ProminenceError] = ProminenceError) -> set[type[ProminenceError]]:
    """The error and all below it that are everybody's."""
    found = {kind}.union(*(tree(child) for child in kind.__subclasses__()))
    return {one for one in found if one.__module__ == errors.__name__}


@pytest.mark.parametrize("word", ErrorReason)
def test_every_word_says_what_is_wrong_who_is_to_blame_and_what_to_do(word: ErrorReason) -> None:
    meaning = ERROR_MEANINGS[word]
    assert meaning.sentence.endswith(".") and "{" not in meaning.sentence
    assert meaning.blame in (Blame.USER, Blame.PLATFORM)
    assert meaning.advice.endswith(".")
    assert word.value.isalpha() and word.value[0].isupper()


def test_no_word_is_used_twice_nor_for_jobs() -> None:
    words = [word.value for word in ErrorReason]
    assert len(set(words)) == len(words) == len(ERROR_MEANINGS)
    assert not set(words) & {reason.value for reason in Reason}


def test_every_word_is_said() -> None:
    said = {kind.told_as for kind in tree()} | {of_status(status) for status in range(400, 600)}
    assert said == set(ErrorReason)


def test_what_tells_when_to_ask_again_passes_by_itself() -> None:
    for kind in tree():
        if issubclass(kind, errors.Unavailable) or kind is errors.TooMany:
            assert kind.told_as in PASSING, kind


@given(st.integers(400, 599))
def test_every_status_has_a_word(status: int) -> None:
    meaning = ERROR_MEANINGS[of_status(status)]
    assert (meaning.blame is Blame.PLATFORM) == (status >= 500 and status != 501)


@given(st.text(), st.sampled_from(ErrorReason))
def test_the_sentence_stands_beside_the_word(sentence: str, word: ErrorReason) -> None:
    assert body(sentence, word) == {"error": sentence, "reasonCode": word.value}
