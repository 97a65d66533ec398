"""From settings to an application."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from prominence.core.errors import Rejected
from prominence.core.settings import load
from prominence.restapi import main, wiring
from prominence.restapi.archive import main as archive_main
from prominence.restapi.mail import main as mail_main
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.translate.site import Site


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
        handler.close()


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key = tmp_path / "api.key"
    key.write_text("a key for tests that is long enough\n")
    file = tmp_path / "restapi.toml"
    file.write_text(
        f'token_key_file = "{key}"\nsandboxes_dir = "{tmp_path}"\nlog_file = "{tmp_path / "restapi.log"}"\n'
        "[jobs]\ndefault_walltime = 60\n"
    )
    monkeypatch.setenv("PROMINENCE_RESTAPI_CONFIG", str(file))
    return tmp_path


def test_the_application_is_made_without_asking_anybody(configured: Path) -> None:
    """The schedd and etcd may be started later."""
    answer = main.create().test_client().get(f"{BASE_PATH}/jobs")
    assert answer.status_code == 401
    assert '"event": "started"' in (configured / "restapi.log").read_text()


def test_a_key_that_is_not_there_is_named(configured: Path) -> None:
    (configured / "api.key").unlink()
    with pytest.raises(Rejected, match=r"api\.key"):
        main.create()


def test_a_key_that_is_too_short_is_refused(configured: Path) -> None:
    (configured / "api.key").write_text("short")
    with pytest.raises(Rejected, match="32 bytes"):
        main.create()


def test_what_is_set_for_jobs_reaches_the_translation() -> None:
    environment = {
        "PROMINENCE_RESTAPI_JOBS__EXECUTOR_FILE": "/x/executor.pyz",
        "PROMINENCE_RESTAPI_JOBS__DEFAULT_WALLTIME": "60",
        "PROMINENCE_RESTAPI_JOBS__MAX_ATTEMPTS": "2",
        "PROMINENCE_RESTAPI_JOBS__LEASE_S": "90",
        "PROMINENCE_RESTAPI_JOBS__GRACE_S": "5",
        "PROMINENCE_RESTAPI_JOBS__PULL_LIMIT_S": "900",
        "PROMINENCE_RESTAPI_JOBS__OVERHEAD_S": "120",
        "PROMINENCE_RESTAPI_JOBS__DEFAULT_CPUS": "2",
        "PROMINENCE_RESTAPI_JOBS__DEFAULT_MEMORY": "0.5",
        "PROMINENCE_RESTAPI_JOBS__MAX_DISK": "100",
        "PROMINENCE_RESTAPI_JOBS__MAX_WALLTIME": "600",
    }
    settings = load(RestApiSettings, "restapi", environment=environment)
    assert settings.jobs.site("") == Site(
        "/x/executor.pyz",
        default_walltime=60,
        max_attempts=2,
        job_lease_s=90,
        grace_s=5,
        pull_limit_s=900,
        overhead_s=120,
        default_cpus=2,
        default_memory=0.5,
        max_disk=100,
        max_walltime=600,
    )


@pytest.mark.parametrize("path", ["jobs", "/jobs/$(HOME)", "/jobs\nqueue 9"])
def test_a_place_that_htcondor_would_misread_is_refused(path: str) -> None:
    with pytest.raises(Rejected, match="sandboxes_dir"):
        load(RestApiSettings, "restapi", environment={"PROMINENCE_RESTAPI_SANDBOXES_DIR": path})


def test_everything_has_a_default() -> None:
    assert load(RestApiSettings, "restapi", environment={}) == RestApiSettings()


def test_without_a_mail_server_there_is_nobody_to_send_messages_by(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mail_main.main([]) == 2
    assert capsys.readouterr().err == "mail: mail: no mail server is named, so there is nobody to send messages by\n"


def test_the_api_knows_the_addresses_that_the_operator_names_and_not_the_password(configured: Path) -> None:
    file = configured / "restapi.toml"
    assert wiring.services_of(load(RestApiSettings, "restapi")).addresses is None
    login = 'username = "prominence"\npassword_file = "/not/there"\n'
    mail = f'[mail]\nhost = "mail"\nsender = "a@example.org"\n{login}[mail.addresses]\nbob = "b@example.org"\n'
    file.write_text(f"{file.read_text()}{mail}")
    assert wiring.services_of(load(RestApiSettings, "restapi")).addresses == {"bob": "b@example.org"}


def test_the_archive_says_what_it_is_for_and_what_is_wrong_with_its_settings(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        archive_main.main(["--help"])
    assert "finished jobs" in capsys.readouterr().out
    (configured / "other.toml").write_text("unheard_of = 1\n")
    assert archive_main.main(["--config", str(configured / "other.toml")]) == 2
    assert capsys.readouterr().err.startswith("archive: ")
