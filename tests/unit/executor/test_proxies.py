"""Proxies are for who fetches images, and for nobody else."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.proxies import hidden, left_out, variables

URL = "http://user:secret-word@proxy:3128"


def test_programs_read_either_spelling(tmp_path: Path) -> None:
    file = tmp_path / "proxies.json"
    file.write_text(f'{{"https_proxy": "{URL}", "no_proxy": "here", "path": "/evil"}}')
    assert variables(file) == {"https_proxy": URL, "HTTPS_PROXY": URL, "no_proxy": "here", "NO_PROXY": "here"}


def test_a_worker_without_proxies_has_none(tmp_path: Path) -> None:
    assert variables(tmp_path / "none") == {}


@given(st.sampled_from(["http_proxy", "HTTPS_PROXY", "No_Proxy", "ALL_PROXY", "ftp_proxy"]))
def test_no_program_that_runs_tasks_has_any(name: str) -> None:
    assert left_out({name: URL, "PATH": "/bin"}) == {"PATH": "/bin"}


@given(st.text(), st.text())
def test_what_is_told_does_not_hold_their_addresses(before: str, after: str) -> None:
    proxies = {"https_proxy": URL, "HTTPS_PROXY": URL, "no_proxy": ""}
    assert URL not in hidden(f"{before}{URL}{after}", proxies)
    assert hidden(before, proxies) == before.replace(URL, "the proxy")
