"""How rclone and oneclient are called, what they are told besides, and what their words mean."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.plan import PlannedStorage
from prominence.executor.adapters import oneclient
from prominence.executor.adapters.enclosed import is_mounted
from prominence.executor.adapters.rclone import (
    environment,
    failure,
    list_command,
    mount_command,
    names_the_worker,
    remote,
    unwritten,
    why_not_stored,
)
from prominence.executor.transfer import Refused

SECRET = "5eCret pass"
WEBDAV = PlannedStorage("webdav", "/data", "", {"url": "https://a.example.org/dav", "username": "alice"})
S3 = PlannedStorage(
    "s3", "/data", "d", {"endpoint": "https://s3.example.org", "bucket": "b-1", "prefix": "p", "access_key": "AK"}
)
ONEDATA = PlannedStorage("onedata", "/data", "", {"provider": "one.example.org", "options": "-i '--log dir'"})


def test_rclone_is_told_where_and_who_by_its_environment() -> None:
    told = environment(WEBDAV, "hidden", "/sandbox/storage")
    ours = {name[len("RCLONE_CONFIG_STORAGE_") :]: value for name, value in told.items() if "_STORAGE_" in name}
    assert ours == {
        **{"TYPE": "webdav", "URL": "https://a.example.org/dav", "USER": "alice", "PASS": "hidden", "VENDOR": "other"}
    }
    assert told["HTTP_PROXY"] == told["HTTPS_PROXY"] == "socks5://127.0.0.1:1080", "the gate, and no other way"
    cloud = WEBDAV._replace(settings={**WEBDAV.settings, "vendor": "nextcloud"})
    assert environment(cloud, "hidden", "/s")["RCLONE_CONFIG_STORAGE_VENDOR"] == "nextcloud"
    store = environment(S3._replace(settings={**S3.settings, "region": "eu-1"}), SECRET, "/s")
    assert store["RCLONE_CONFIG_STORAGE_SECRET_ACCESS_KEY"] == SECRET
    assert store["RCLONE_CONFIG_STORAGE_REGION"] == "eu-1"
    assert store["RCLONE_CONFIG_STORAGE_ENV_AUTH"] == "false", "the worker's own credentials are none of the job's"
    assert store["RCLONE_CONFIG_STORAGE_NO_CHECK_BUCKET"] == "true", "it makes no buckets"


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1)


@given(texts, texts)
def test_a_command_line_is_made_of_fixed_words_and_of_what_is_no_option(directory: str, username: str) -> None:
    for storage in (WEBDAV, S3):
        told = storage._replace(settings={**storage.settings, "username": username})
        wanted = remote(told, directory)
        assert wanted.startswith("storage:") and wanted.endswith(f"{directory}/")
        assert mount_command(wanted, "/seen", "/cache")[-3:] == ["--", wanted, "/seen"]
        assert list_command(wanted)[-2:] == ["--", wanted]
        assert mount_command(wanted, "/seen", "/cache")[:-3] == mount_command("storage:", "/seen", "/cache")[:-3]


@pytest.mark.parametrize(
    ("storage", "directory", "called"),
    [
        (WEBDAV, "", "storage:"),
        (WEBDAV, "a/17", "storage:a/17/"),
        (S3, "", "storage:b-1/p/"),
        (S3, "17", "storage:b-1/p/17/"),
        (S3._replace(settings={"bucket": "b-1"}), "", "storage:b-1/"),
    ],
)
def test_what_is_mounted_is_a_directory(storage: PlannedStorage, directory: str, called: str) -> None:
    assert remote(storage, directory) == called


def test_oneclient_gets_its_token_by_its_environment() -> None:
    assert oneclient.command(ONEDATA, "/seen") == ["oneclient", "--foreground", "-i", "--log dir", "/seen"]
    assert oneclient.command(ONEDATA._replace(settings={"provider": "a"}), "/seen")[2:] == ["/seen"]
    told = oneclient.environment(ONEDATA, SECRET, "/sandbox/storage", "/bin")
    assert told["ONECLIENT_ACCESS_TOKEN"] == SECRET
    assert told["ONECLIENT_PROVIDER_HOST"] == "one.example.org"


def test_files_that_are_still_to_be_stored_are_known_by_rclones_notes(tmp_path: Path) -> None:
    notes = tmp_path / "vfsMeta" / "storage{x1}" / "b-1" / "sub"
    notes.mkdir(parents=True)
    (notes.parent / "done").write_text(json.dumps({"Dirty": False}))
    (notes.parent / "dirty").write_text(json.dumps({"Dirty": True}))
    (notes / "being noted").write_text('{"Dir')
    assert sorted(unwritten(tmp_path)) == ["b-1/dirty", "b-1/sub/being noted"]
    assert list(unwritten(tmp_path / "none")) == []


_LOG = """2026/11/30 01:16:31 ERROR : a/b: vfs cache: failed to upload try #1, will retry in 1s: vfs cache: failed to transfer file from cache to remote: Forbidden: 403 Forbidden
2026/11/30 01:16:31 ERROR : x: vfs cache: failed to upload try #2, will retry in 2s: vfs cache: failed: dial tcp: i/o timeout
2026/11/30 01:16:32 ERROR : IO error: something else
"""  # noqa: E501 - as rclone writes it


def test_why_a_file_was_not_stored_is_in_rclones_log() -> None:
    assert why_not_stored(_LOG, ["dir/a/b"]).endswith("Forbidden: 403 Forbidden")
    assert why_not_stored(_LOG, ["x"]).endswith("i/o timeout")
    assert why_not_stored(_LOG, ["b", "ab", "other"]) == ""


@pytest.mark.parametrize(
    ("said", "why", "refused"),
    [
        ("error listing: couldn't list files: Unauthorized: 401 Unauthorized", "refuses it to this user", True),
        ("Failed to lsf: AccessDenied: Access Denied\n\tstatus code: 403, request id: a", "refuses it", True),
        ("InvalidAccessKeyId: \n\tstatus code: 403, request id: a, host id: ", "refuses it to this user", True),
        ("SignatureDoesNotMatch: x\n\tstatus code: 400", "refuses it to this user", True),
        ('Propfind "http://a/": socks connect: unknown error connection not allowed by ruleset', "nothing is", True),
        ("couldn't list files: Method Not Allowed: 405 Method Not Allowed", "is no such storage", True),
        ("couldn't list files: Bad Request: 400 Bad Request", "is no such storage", True),
        ("couldn't list files: Too Many Requests: 429 Too Many Requests", "429", False),
        ("Insufficient Storage: 507 Insufficient Storage", "no room", True),
        ('Get "https://a/": x509: certificate signed by unknown authority', "certificate", True),
        ('Propfind "http://a/": socks connect: unknown error host unreachable', "cannot be reached", False),
        ("dial tcp 1.2.3.4:80: connect: connection refused", "cannot be reached", False),
        ("Service Unavailable: 503 Service Unavailable", "503 Service Unavailable", False),
        (f"2026/11/30 01:30:23 ERROR : : error listing: strange {SECRET}.", "strange ***", False),
        ("", "rclone does not say why", False),
    ],
)
def test_rclones_words_are_told_in_ours(said: str, why: str, refused: bool) -> None:
    found = failure(said, SECRET)
    assert why in str(found)
    assert isinstance(found, Refused) is refused
    assert SECRET not in str(found)


@given(st.text(), st.uuids())
def test_whatever_it_says_the_secret_is_not_told_on(said: str, secret: UUID) -> None:
    assert str(secret) not in str(failure(f"2026/11/30 01:30:23 ERROR : {said} {secret}\n{said}{secret}", str(secret)))


@pytest.mark.parametrize(
    ("address", "does"),
    [
        ("http://127.0.0.1/", True),
        ("http://localhost:8080/a", True),
        ("http://localhost./", True),
        ("https://[::1]/", True),
        ("http://169.254.169.254/latest/", True),
        ("http://0.0.0.0/", True),
        ("http://[::ffff:127.0.0.1]/", True),
        ("https://cloud.example.org/", False),
        ("http://192.0.2.7:8080/", False),
    ],
)
def test_the_workers_own_addresses_are_known_before_anything_is_started(address: str, does: bool) -> None:
    assert names_the_worker(address) is does


def test_what_is_mounted_is_known_by_the_kernels_table() -> None:
    table = "573 454 0:62 / /sand\\040box/seen rw,nosuid - fuse.rclone storage: rw\n574 454 0:63 / /other rw - ext4 a\n"
    assert is_mounted("/sand box/seen", table)
    assert not is_mounted("/sand box", table)
    assert not is_mounted("/", "")
