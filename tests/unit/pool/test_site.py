"""The cache of Python packages for the images."""

from __future__ import annotations

from pathlib import Path

import pytest

from prominence.cli.pool import site


def test_two_pools_may_fetch_the_same_packages_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def while_another_is_faster(target: Path, *_: object) -> None:
        monkeypatch.setattr(site, "_install", _fetch)
        site.ensure_site(("imc",))
        _fetch(target)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(site, "_install", while_another_is_faster)
    digest, directory = site.ensure_site(("imc",))
    assert (directory / "module.py").is_file()
    assert [path.name for path in (tmp_path / "prominence").iterdir()] == [f"site-{digest}"]


def _fetch(target: Path, *_: object) -> None:
    target.mkdir(parents=True)
    (target / "module.py").touch()
