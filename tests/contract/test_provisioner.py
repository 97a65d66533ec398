"""The promise of the scaler's Provisioner, kept by the pretend pool and by imc behind its real HTTP API."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Protocol

import pytest
from builders import NOON, a_cloud, a_request, a_size
from builders_scaler import a_pretend_pool
from pydantic import SecretStr
from werkzeug.serving import make_server

from prominence.core.errors import Conflict, Rejected, Unauthenticated, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import CloudStatus, Wish
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.app import create_app
from prominence.imc.records import Records
from prominence.imc.routes import Services
from prominence.scaler.adapters.imc import ImcProvisioner
from prominence.scaler.ports import Provisioner

TOKEN = SecretStr("a token")


class World(Protocol):
    """A provisioner of one cloud, and its outage."""

    provisioner: Provisioner

    def stop(self) -> None: ...


class PretendWorld:
    def __init__(self) -> None:
        self._pool = a_pretend_pool()
        self.provisioner: Provisioner = self._pool

    def stop(self) -> None:
        self._pool.unavailable.update(workers="stopped", clouds="stopped", request="stopped")


class ImcWorld:
    def __init__(self) -> None:
        store = MemoryKeyValue()
        records = Records(store)
        records.publish((a_cloud(),))
        services = Services(
            records, MemoryPool(), TOKEN, None, clock=lambda: NOON, changed=lambda: None, silent_for_s=lambda: 0.0
        )
        self._server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.provisioner: Provisioner = ImcProvisioner(self.url, TOKEN)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def imc() -> Iterator[ImcWorld]:
    world = ImcWorld()
    yield world
    if world._thread.is_alive():
        world.stop()


@pytest.fixture(params=["memory", "imc"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = PretendWorld() if request.param == "memory" else request.getfixturevalue("imc")
    return found


@pytest.fixture
def provisioner(world: World) -> Provisioner:
    return world.provisioner


def wish(provisioner: Provisioner, name: str = "w-1") -> Wish:
    (worker,) = [worker for worker in provisioner.workers() if worker.name == name]
    return worker.request.wish


class TestProvisioner:
    def test_there_are_no_workers_until_one_is_asked_for(self, provisioner: Provisioner) -> None:
        assert list(provisioner.workers()) == []
        request = a_request(cloud="docker", flavour="small", reason="wegen “alice”; 3 Jobs")
        provisioner.request("w-1", request)
        (worker,) = provisioner.workers()
        assert (worker.name, worker.request) == ("w-1", request)

    def test_asking_again_has_no_further_effect(self, provisioner: Provisioner) -> None:
        for _ in range(3):
            provisioner.request("w-1", a_request())
        (worker,) = provisioner.workers()
        assert worker.request == a_request()

    def test_a_wish_goes_on_to_drained_and_absent_and_comes_back_from_drained(self, provisioner: Provisioner) -> None:
        for wanted in (Wish.PRESENT, Wish.DRAINED, Wish.PRESENT, Wish.DRAINED, Wish.ABSENT):
            provisioner.request("w-1", a_request(wish=wanted))
            assert wish(provisioner) is wanted

    def test_absent_is_final(self, provisioner: Provisioner) -> None:
        provisioner.request("w-1", a_request())
        provisioner.request("w-1", a_request(wish=Wish.ABSENT))
        with pytest.raises(Conflict):
            provisioner.request("w-1", a_request())
        assert wish(provisioner) is Wish.ABSENT

    def test_a_worker_keeps_the_size_it_was_asked_for(self, provisioner: Provisioner) -> None:
        provisioner.request("w-1", a_request())
        with pytest.raises(Conflict):
            provisioner.request("w-1", a_request(size=a_size(2)))

    def test_an_old_fence_is_refused(self, provisioner: Provisioner) -> None:
        provisioner.request("w-1", a_request(fence=7))
        with pytest.raises(Conflict):
            provisioner.request("w-2", a_request(fence=6))
        provisioner.request("w-2", a_request(fence=7))
        assert sorted(worker.name for worker in provisioner.workers()) == ["w-1", "w-2"]

    def test_the_clouds_are_known(self, provisioner: Provisioner) -> None:
        (cloud,) = provisioner.clouds()
        assert isinstance(cloud, CloudStatus)
        assert cloud == a_cloud()

    def test_a_provisioner_that_does_not_answer_is_unavailable(self, world: World) -> None:
        provisioner = world.provisioner
        provisioner.workers()  # so that a connection is open
        world.stop()
        with pytest.raises(Unavailable):
            provisioner.workers()
        with pytest.raises(Unavailable):
            provisioner.clouds()
        with pytest.raises(Unavailable):
            provisioner.request("w-1", a_request())


class TestImc:
    """What only the HTTP adapter can get wrong."""

    def test_a_wrong_token_is_told_apart_from_an_outage(self, imc: ImcWorld) -> None:
        with pytest.raises(Unauthenticated):
            ImcProvisioner(imc.url, SecretStr("another")).workers()

    def test_what_imc_refuses_is_told_in_its_words(self, imc: ImcWorld) -> None:
        with pytest.raises(Rejected, match="lower-case letters"):
            imc.provisioner.request("NO_SUCH_NAME", a_request())

    def test_an_answer_that_is_not_imcs_is_no_answer(self) -> None:
        def something_else(environ: object, start_response: object) -> list[bytes]:
            start_response("200 OK", [("Content-Type", "text/html")])  # type: ignore[operator]
            return [b"<h1>It works!</h1>"]

        server = make_server("127.0.0.1", 0, something_else)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(Unavailable, match="not understood"):
                ImcProvisioner(f"http://127.0.0.1:{server.port}", TOKEN).workers()
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_an_imc_that_keeps_silent_is_not_waited_for(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            provisioner = ImcProvisioner(f"http://127.0.0.1:{mute.getsockname()[1]}", TOKEN, timeout_s=0.2)
            with pytest.raises(Unavailable, match="timed out|timeout"):
                provisioner.workers()
