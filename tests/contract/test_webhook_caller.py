"""What every Caller promises, in memory and over HTTP to a real server; and what is tried to make it call elsewhere."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from certificates import a_certificate
from webhook_server import WebhookServer, running

from prominence.restapi.adapters.memory_webhooks import MemoryCaller
from prominence.restapi.adapters.webhooks import HttpCaller
from prominence.restapi.ports import Caller, NotTaken
from prominence.restapi.webhooks.rules import Trouble

HERE = (ipaddress.ip_network("127.0.0.1/32"),)
HEADERS = {"webhook-id": "msg_1", "Content-Type": "application/json"}


def a_caller(timeout_s: float = 30, ca_file: Path | None = None, allowed: Any = HERE) -> HttpCaller:
    return HttpCaller(allowed, timeout_s, ca_file)


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with running() as one:
        yield one


def trouble(caller: Caller, url: str) -> Trouble:
    with pytest.raises(NotTaken) as refused:
        caller.call(url, HEADERS, b"{}")
    return refused.value.trouble


class TestCaller:
    def test_what_is_taken_arrives_as_it_was_sent(self, server: WebhookServer) -> None:
        memory = MemoryCaller()
        callers: list[Caller] = [memory, a_caller()]
        for caller in callers:
            caller.call(f"{server.url}/hook?a=b", HEADERS, b'{"a": 1}')
        [one] = memory.calls
        [other] = server.letters
        assert (one.url, one.body) == (f"{server.url}/hook?a=b", other.body)
        assert other.path == "/hook?a=b" and other.headers["webhook-id"] == one.headers["webhook-id"] == "msg_1"
        assert other.headers["host"] == f"127.0.0.1:{server.port}"

    def test_a_failure_is_told_and_says_nothing_of_the_next(self, server: WebhookServer) -> None:
        memory = MemoryCaller()
        memory.fails[server.url] = NotTaken(Trouble.FAILED, 503)
        server.answers = [503]
        callers: list[Caller] = [memory, a_caller()]
        for caller in callers:
            assert trouble(caller, server.url) is Trouble.FAILED
            memory.fails.clear()
            caller.call(server.url, HEADERS, b"{}")


class TestHttp:
    def test_no_redirect_is_followed(self, server: WebhookServer) -> None:
        server.answers = [307]
        assert trouble(a_caller(), server.url) is Trouble.REDIRECTED
        assert [one.path for one in server.letters] == ["/"]

    def test_what_this_service_does_not_call_gets_nothing(self, server: WebhookServer) -> None:
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"):
            for scheme in ("http", "https"):
                found = trouble(a_caller(allowed=()), f"{scheme}://{host}:{server.port}/")
                assert found is Trouble.ADDRESS_NOT_ALLOWED, host
        assert server.letters == []

    def test_other_spellings_of_this_machine_lead_nowhere_else(self, server: WebhookServer) -> None:
        for host in ("2130706433", "0x7f000001", "0177.0.0.1", "127.1"):
            assert trouble(a_caller(allowed=()), f"https://{host}:{server.port}/") is Trouble.ADDRESS_NOT_ALLOWED

    def test_a_name_that_means_another_machine_a_moment_later_leads_where_it_was_checked(
        self, server: WebhookServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = [["127.0.0.1"], ["127.0.0.2"]]
        asked: list[str] = []

        def looked_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            if host != "hook.example":  # numeric, by who connects
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in answers.pop(0)]

        monkeypatch.setattr(socket, "getaddrinfo", looked_up)
        a_caller().call(f"http://hook.example:{server.port}/", HEADERS, b"{}")
        assert (len(server.letters), asked) == (1, ["hook.example"])
        assert trouble(a_caller(), f"http://hook.example:{server.port}/") is Trouble.ADDRESS_NOT_ALLOWED

    def test_of_several_addresses_of_a_name_only_those_that_may_are_called(
        self, server: WebhookServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def looked_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            found = ["169.254.169.254", "127.0.0.1"] if host == "hook.example" else [host]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(socket, "getaddrinfo", looked_up)
        a_caller().call(f"http://hook.example:{server.port}/", HEADERS, b"{}")
        assert len(server.letters) == 1

    def test_a_proxy_of_the_environment_is_not_asked(
        self, server: WebhookServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.9:1")
        a_caller().call(server.url, HEADERS, b"{}")
        assert len(server.letters) == 1

    def test_one_that_keeps_sending_is_not_listened_to_for_longer_than_it_may_take(self, server: WebhookServer) -> None:
        def drip(handler: BaseHTTPRequestHandler) -> None:
            try:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    handler.wfile.write(b"X-More: 1\r\n" if server.letters[-1].path == "/" else b"x")
            except OSError:
                handler.close_connection = True

        server.says = drip
        # It is cut off by the time, or by how many lines of a head are read.
        assert trouble(a_caller(timeout_s=2), f"{server.url}/line") is not None
        assert trouble(a_caller(timeout_s=2), f"{server.url}/") is not None

    def test_one_that_says_nothing_is_not_waited_for(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            assert trouble(a_caller(timeout_s=0.3), f"http://127.0.0.1:{port}/") is Trouble.TIMED_OUT

    @pytest.mark.parametrize("said", [b"SSH-2.0-x\r\n", b"HTTP/9 200\r\n\r\n", b"\0\0\0"])
    def test_what_is_not_http_is_told_so(self, said: bytes, server: WebhookServer) -> None:
        def say(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(said)
            handler.close_connection = True

        server.says = say
        assert trouble(a_caller(), server.url) is Trouble.NOT_HTTP

    def test_nobody_there_is_told_so(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        assert trouble(a_caller(), f"http://127.0.0.1:{port}/") is Trouble.UNREACHABLE
        assert trouble(a_caller(), "https://no-such-host.invalid/") is Trouble.NAME_UNKNOWN

    def test_over_tls_the_certificate_is_checked(self, tmp_path: Path) -> None:
        certificate = a_certificate(tmp_path)
        with running(certificate=certificate) as server:
            assert trouble(a_caller(), server.url) is Trouble.CERTIFICATE_REFUSED
            assert server.letters == []
            a_caller(ca_file=certificate).call(server.url, HEADERS, b"{}")
            assert len(server.letters) == 1
            name = server.url.replace("127.0.0.1", "localhost")
            both = (*HERE, ipaddress.ip_network("::1/128"))
            found = trouble(a_caller(ca_file=certificate, allowed=both), name)
            assert found in (Trouble.CERTIFICATE_REFUSED, Trouble.UNREACHABLE), "it is not of that name"
