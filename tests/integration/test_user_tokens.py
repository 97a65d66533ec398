"""A user's token at the live API: whatever is wrong with it, nothing is told or done, and none of it is logged."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import requests
from real_parts import RealPool

NOW = int(time.time())
HOUR = 3600

ENDPOINTS = [
    ("GET", "/jobs"),
    ("GET", "/jobs/1"),
    ("POST", "/jobs"),
    ("DELETE", "/jobs/1"),
    ("DELETE", "/jobs?id=1"),
    ("GET", "/jobs/1/stdout"),
    ("GET", "/jobs/1/stderr"),
    ("GET", "/kv/a"),
    ("POST", "/kv/a"),
    ("DELETE", "/kv/a"),
]


class Maker:
    """Makes tokens, good ones and others, with the pool's key or without."""

    def __init__(self, key: str) -> None:
        self.key = key

    def make(self, key: str | None = None, algorithm: str = "HS256", **changes: Any) -> str:
        """With changed claims; those that become None are left out."""
        good = {"iss": "prominence-local", "aud": "prominence", "sub": "mallory", "groups": [], "exp": NOW + HOUR}
        claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
        return jwt.encode(claims, self.key if key is None else key, algorithm=algorithm)

    def by_hand(self, header: dict[str, Any], key: str | None = None, **changes: Any) -> str:
        """With any header; signed by HMAC with SHA-256 all the same when there is a key."""
        body = self.make(**changes).split(".")[1]
        signed = f"{_part(json.dumps(header).encode())}.{body}"
        signature = b"" if key is None else jwt.algorithms.HMACAlgorithm("sha256").sign(signed.encode(), key.encode())
        return f"{signed}.{_part(signature)}"

    def tampered(self) -> str:
        """Another user's claims under a good signature."""
        head, _, signature = self.make().split(".")
        return f"{head}.{self.make(sub='root').split('.')[1]}.{signature}"


@pytest.fixture(scope="module")
def maker(pool: RealPool) -> Maker:
    return Maker((pool.state / "secrets" / "api.key").read_text().strip())


@pytest.fixture(scope="module")
def private_job(pool: RealPool, tiny_image: str) -> Iterator[int]:
    """A job of the pool's own user, which waits for ever."""
    job = pool.submit(
        {"image": tiny_image, "cmd": "echo private"},
        name="private",
        labels={"app": "private"},
        resources={"cpus": 512, "memory": 1, "disk": 1},
    )
    yield job
    pool.request("DELETE", f"/jobs/{job}")


BAD: dict[str, Callable[[Maker], str]] = {
    "expired": lambda maker: maker.make(exp=NOW - HOUR),
    "not yet valid": lambda maker: maker.make(nbf=NOW + HOUR),
    "issued in the future": lambda maker: maker.make(iat=NOW + HOUR),
    "for somebody else": lambda maker: maker.make(aud="elsewhere"),
    "for nobody": lambda maker: maker.make(aud=None),
    "from somebody else": lambda maker: maker.make(iss="https://elsewhere.example.org"),
    "from nobody": lambda maker: maker.make(iss=None),
    "without an end": lambda maker: maker.make(exp=None),
    "with an end that is no time": lambda maker: maker.make(exp="never"),
    "with an end beyond all calendars": lambda maker: maker.make(exp=10**30),
    "with an end before all time": lambda maker: maker.make(exp=-(10**30)),
    "without a user": lambda maker: maker.make(sub=None),
    "of a user with a line break": lambda maker: maker.make(sub="mallory\nroot"),
    "without a signature": lambda maker: maker.by_hand({"alg": "none", "typ": "JWT"}),
    "without an algorithm": lambda maker: maker.by_hand({"typ": "JWT"}, maker.key),
    "with the algorithm nOnE": lambda maker: maker.by_hand({"alg": "nOnE"}),
    "with an empty key": lambda maker: maker.by_hand({"alg": "HS256"}, ""),
    "with the audience as key": lambda maker: maker.by_hand({"alg": "HS256"}, "prominence"),
    "with the issuer as key": lambda maker: maker.by_hand({"alg": "HS256"}, "prominence-local"),
    "with another key": lambda maker: maker.make(key="x" * 64),
    "with another algorithm": lambda maker: maker.make(algorithm="HS512"),
    "called RS256": lambda maker: maker.by_hand({"alg": "RS256"}, maker.key),
    "with changed claims": lambda maker: maker.tampered(),
    "with a key from a file": lambda maker: maker.by_hand({"alg": "HS256", "kid": "../../../../dev/null"}, ""),
    "with a key from the header": lambda maker: maker.by_hand(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": _part(b"x" * 64)}}, "x" * 64
    ),
    "with a key from an address": lambda maker: maker.by_hand(
        {"alg": "HS256", "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/keys", "kid": "1"}, "x" * 64
    ),
    "with a critical header that nobody knows": lambda maker: maker.by_hand(
        {"alg": "HS256", "crit": ["unheard-of"], "unheard-of": 1}, maker.key
    ),
    "cut short": lambda maker: maker.make()[:-4],
    "with a part too many": lambda maker: maker.make() + ".x",
    "with something behind it": lambda maker: maker.make() + " x",
    "no token at all": lambda maker: "not-a-token-but-quite-long",
}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_token_is_nobodys(pool: RealPool, maker: Maker, bad: str, scheme: str) -> None:
    token = BAD[bad](maker)
    answer = requests.get(f"{pool.url}/jobs", headers={"Authorization": f"{scheme} {token}"}, timeout=30)
    _is_refused(answer)
    assert token not in answer.text


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_it_is_nobodys_everywhere(pool: RealPool, maker: Maker, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {maker.make(exp=NOW - HOUR)}"}
    _is_refused(requests.request(method, pool.url + path, headers=headers, json={}, timeout=30))


def test_a_good_token_of_the_same_making_is_let_in(pool: RealPool, maker: Maker) -> None:
    token = maker.make()
    for scheme in ("Bearer", "bearer", "token"):
        answer = requests.get(f"{pool.url}/jobs", headers={"Authorization": f"{scheme} {token}"}, timeout=30)
        assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("name", ["token", "access_token", "Authorization", "jwt"])
def test_a_good_token_in_the_address_or_a_cookie_counts_for_nothing(pool: RealPool, maker: Maker, name: str) -> None:
    token = maker.make()
    _is_refused(requests.get(f"{pool.url}/jobs", params={name: token}, timeout=30))
    _is_refused(requests.get(f"{pool.url}/jobs", cookies={name: token}, timeout=30))


def test_of_two_tokens_neither_counts(pool: RealPool, maker: Maker) -> None:
    host, _, path = pool.url.removeprefix("http://").partition("/")
    for tokens in ((maker.make(), maker.make()), (maker.make(exp=1), maker.make()), (maker.make(), "x")):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.putrequest("GET", f"/{path}/jobs")
        for token in tokens:
            connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 401
        assert set(json.loads(answer.read())) == {"error", "reasonCode"}
        connection.close()


def test_a_token_of_a_hundred_kilobytes_is_refused_in_json(pool: RealPool, maker: Maker) -> None:
    token = maker.make(padding="x" * 75_000)
    assert len(token) > 100_000
    answer = requests.get(f"{pool.url}/jobs", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 431
    assert set(answer.json()) == {"error", "reasonCode"}


def test_no_part_of_a_token_is_logged(pool: RealPool, maker: Maker) -> None:
    tokens = [*(make(maker) for make in BAD.values()), maker.make(), maker.make(padding="x" * 75_000)]
    for token in tokens:
        for path in ("/jobs", "/jobs/1/stdout", "/no/such/thing"):
            requests.get(pool.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    logged = "".join(file.read_text(errors="replace") for file in (pool.state / "log").rglob("*") if file.is_file())
    logged += "".join(pool.containers(role)[0].logs().decode(errors="replace") for role in ("access-point", "imc"))
    assert logged
    parts = {part[:40] for token in tokens for part in token.split(".")[1:] if len(part) > 20}
    assert [part for part in parts if part in logged] == []


class TestAnotherUser:
    """Sees nothing of a job, and does nothing to it, by any address."""

    @pytest.fixture
    def ask(self, pool: RealPool, maker: Maker) -> Callable[[str, str], requests.Response]:
        headers = {"Authorization": f"Bearer {maker.make()}"}
        return lambda method, path: requests.request(method, pool.url + path, headers=headers, timeout=30)

    @pytest.mark.parametrize(
        "query",
        [
            *("", "?all", "?all&detail", "?completed=true&num=-1", "?name=private", "?constraint=app=private"),
            *("?status=idle", "?status=waiting", "?id={job}", "?id={job}&workflow=true", "?id={job}&all&detail"),
            *("?name=%22%20%7C%7C%20true%20%7C%7C%20%22", "?constraint=app=%22%20%7C%7C%20true%20%7C%7C%20%22"),
            *("?user=root", "?identity=root", "?owner=root", "?group=*"),
        ],
    )
    def test_it_is_in_none_of_their_lists(
        self, private_job: int, ask: Callable[[str, str], requests.Response], query: str
    ) -> None:
        answer = ask("GET", f"/jobs{query.format(job=private_job)}")
        assert answer.status_code == (403 if "user=" in query else 200)
        assert answer.status_code == 403 or answer.json() == []
        assert "private" not in answer.text

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/jobs/{job}", 200),
            ("GET", "/jobs/{job}?detail", 200),
            ("GET", "/jobs/{job}/stdout", 403),
            ("GET", "/jobs/{job}/stderr", 403),
            ("GET", "/jobs/{job}/stdout?offset=1", 403),
            ("DELETE", "/jobs/{job}", 400),
            ("DELETE", "/jobs?id={job}", 400),
            ("DELETE", "/jobs?id={job},1,2,3", 400),
            ("GET", "/jobs/%20{job}", 400),
            ("GET", "/jobs/{job}%20", 400),
            ("GET", "/jobs/{job}.0", 200),
            ("GET", "/jobs/0{job}", 200),
            ("GET", "/jobs/{job}%20%7C%7C%20true", 400),
        ],
    )
    def test_no_address_tells_of_it_or_changes_it(
        self,
        pool: RealPool,
        private_job: int,
        ask: Callable[[str, str], requests.Response],
        method: str,
        path: str,
        status: int,
    ) -> None:
        answer = ask(method, path.format(job=private_job))
        assert answer.status_code == status, answer.text
        assert "private" not in answer.text
        assert "busybox" not in answer.text
        if status == 200:
            assert answer.json() == []
        assert pool.describe(private_job)["status"] in ("idle", "waiting")


def _is_refused(answer: requests.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert set(answer.json()) == {"error", "reasonCode"}


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
