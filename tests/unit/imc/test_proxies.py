"""The proxies that new workers are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from prominence.core.errors import Unavailable
from prominence.imc import proxies


def test_each_worker_gets_those_of_its_time(tmp_path: Path) -> None:
    file = tmp_path / "proxies.json"
    assert proxies.read(file) == proxies.read(None) == {}
    file.write_text('{"https_proxy": "http://proxy:3128"}')
    [(name, value)] = proxies.read(file).items()
    assert (name, value.get_secret_value()) == ("https_proxy", "http://proxy:3128")


@pytest.mark.parametrize("text", ["", "[]", '{"https_proxy": {"secret-word": 1}}', '"secret-word"'])
def test_what_is_wrong_with_the_file_is_told_without_its_content(tmp_path: Path, text: str) -> None:
    file = tmp_path / "proxies.json"
    file.write_text(text)
    with pytest.raises(Unavailable, match="proxies.json is not a JSON object of texts") as raised:
        proxies.read(file)
    assert "secret-word" not in str(raised.value)
    assert raised.value.__cause__ is None
