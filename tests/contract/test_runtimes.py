"""The promise of `executor.ports.ContainerRuntime`, kept by every runtime, as the packed executor shows it."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest
from file_server import a_tgz, serving
from real_executor import (
    DOCKER_SOCKET,
    SLOT_UID,
    Bench,
    BrokerProcess,
    Registry,
    WorkerBench,
    open_directory,
    processes_with,
    until,
    worker_container,
)

from prominence.cli.pool.recipes import ensure_images
from prominence.core.plan import TOKEN_FILE, PlannedArtifact, PlannedMount
from prominence.core.reasons import Reason
from prominence.core.report import Outcome

MACHINE_AD = {"_CONDOR_MACHINE_AD": ".machine.ad"}
"""Where HTCondor tells a job of its slot, beneath the sandbox in which the job starts."""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture(scope="module", params=["broker", "docker command", "apptainer"])
def bench(request: pytest.FixtureRequest, registry: Registry, engine: docker.DockerClient) -> Iterator[Bench]:
    """Each way to run containers."""
    with ExitStack() as stack:
        directory = stack.enter_context(open_directory())
        if request.param == "broker":
            broker = stack.enter_context(BrokerProcess(directory, execute_dir=str(directory)).running())
            yield Bench(directory, registry, [], {"PROMINENCE_BROKER_SOCKET": str(broker.socket), **MACHINE_AD})
        elif request.param == "docker command":
            # Where an administrator lets jobs use the engine themselves: through the group of its socket.
            group = DOCKER_SOCKET.stat().st_gid
            environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PROMINENCE_BROKER_SOCKET": str(directory / "none")}
            environment |= MACHINE_AD
            yield Bench(directory, registry, [group], environment)
        else:
            image = ensure_images(engine, lambda line: None, None)["worker"]
            container = stack.enter_context(worker_container(engine, image, directory, registry))
            yield WorkerBench(directory, registry, container, MACHINE_AD)
        _forget_images(engine, registry)


def _forget_images(engine: docker.DockerClient, registry: Registry) -> None:
    for image in engine.images.list(name=f"{registry.host}/tiny"):
        for tag in image.tags:
            engine.images.remove(tag, force=True)


@pytest.fixture
def marker() -> str:
    """A word to find a process by: also a number of seconds that `sleep` takes."""
    return str(uuid.uuid4().int % 10**9 + 10**9)


class TestPromise:
    def test_what_works_here_is_promised_and_nothing_else(self, bench: Bench) -> None:
        assert bench.promised() == [bench.runtime]

    def test_apptainer_is_promised_only_where_it_gets_what_it_needs(
        self, registry: Registry, engine: docker.DockerClient
    ) -> None:
        image = ensure_images(engine, lambda line: None, None)["worker"]
        with open_directory() as directory, worker_container(engine, image, directory, registry, False) as container:
            assert WorkerBench(directory, registry, container).promised() == []


class TestRuntime:
    def test_a_task_that_succeeds_makes_the_job_succeed(self, bench: Bench) -> None:
        done = bench.run("echo out; echo err >&2")
        assert (done.exit_code, done.stdout, done.stderr) == (0, "out\n", "err\n")
        assert done.report.outcome is Outcome.SUCCESS
        assert bench.runtime in done.report.runtime_versions
        [task] = done.report.tasks
        assert (task.runtime, task.exit_code) == (bench.runtime, 0)

    @pytest.mark.parametrize("exit_code", [3, 126, 127, 255])
    def test_the_exit_code_of_a_task_is_its_own(self, bench: Bench, exit_code: int) -> None:
        done = bench.run(f"exit {exit_code}")
        assert (done.exit_code, done.report.exit_code, done.report.tasks[0].exit_code) == (exit_code,) * 3
        assert (done.report.outcome, done.report.reason) == (Outcome.TASK_FAILED, Reason.TASK_FAILED)

    def test_a_signal_is_told_by_the_exit_code(self, bench: Bench) -> None:
        assert bench.run("kill -9 $$").exit_code == 137

    def test_an_image_is_fetched_once_and_then_held(self, bench: Bench) -> None:
        done = bench.run("true", "true")
        assert done.report.tasks[1].pull_s is None

    def test_a_directory_of_an_artifact_is_where_the_plan_wants_it(self, bench: Bench) -> None:
        with serving({"/data.tgz": a_tgz({"data/a": b"mounted\n"})}) as base:
            # As if it were the API's: from the worker itself nothing else is fetched.
            job = bench.job(
                "cat /opt/data/a data/a; echo more > /opt/data/b",
                "cat /opt/data/b",
                api=base,
                artifacts=(PlannedArtifact(f"{base}/data.tgz", "data.tgz"),),
                mounts=(PlannedMount("data", "/opt/data"),),
            )
            (job.sandbox / TOKEN_FILE).write_text("a token")
            done = job.start().finish()
        assert (done.exit_code, done.stdout) == (0, "mounted\nmounted\nmore\n"), done.stderr

    def test_tasks_share_home_and_tmp(self, bench: Bench) -> None:
        done = bench.run("echo h > f; echo t > /tmp/f", "pwd; cat f /home/user/f /tmp/f", "touch /home/user/a; ls -A")
        assert done.stdout == "/home/user\nh\nh\nt\na\nf\n"

    def test_jobs_do_not_share_them(self, bench: Bench) -> None:
        bench.run("touch f /tmp/f")
        assert bench.run("ls -A; ls -A /tmp").stdout == ""

    def test_arguments_arrive_as_they_are(self, bench: Bench) -> None:
        words = ["a b", "$HOME", "`id`", "it's", '"', "n\nl", "", "--", "--x", "ü€\t", "\\n", "*"]
        done = bench.run(bench.task("printf", "<%s>", *words))
        assert done.stdout == "".join(f"<{word}>" for word in words)

    def test_the_environment_arrives_as_it_is(self, bench: Bench) -> None:
        env = {
            "QUOTES": "a \"b\" 'c'",
            "LINES": "one\ntwo\n",
            "SHELL_WORDS": "$HOME `id` $(id) \\n ;&|",
            "UNICODE": "ü€\U0001f600",
            "EMPTY": "",
            "SPACES": "  x  ",
            # What would mean something to the runtime's own program.
            "DOCKER_HOST": "tcp://127.0.0.1:1",
            "LD_PRELOAD": "/nonexistent.so",
            "GODEBUG": "x",
            "APPTAINER_BIND": "/etc",
        }
        script = 'for v in "$@"; do eval "printf \'<%s>\' \\"\\$$v\\""; done'
        done = bench.run(bench.task("sh", "-c", script, "sh", *env, env=env))
        assert done.stdout == "".join(f"<{value}>" for value in env.values())

    def test_a_task_knows_where_it_is(self, bench: Bench) -> None:
        script = "echo $HOME $TMPDIR $USER $PROMINENCE_CPUS $PROMINENCE_MEMORY $PROMINENCE_TASK_NUM $FROM_IMAGE"
        done = bench.run(f"{script} $PROMINENCE_CONTAINER_RUNTIME", cpus=1)
        assert done.stdout == f"/home/user /tmp user 1 0.1 0 yes {bench.runtime}\n"

    def test_without_a_command_the_images_own_is_run(self, bench: Bench) -> None:
        assert bench.run(bench.task(command=())).stdout == "the image's own\n"

    def test_a_working_directory_is_made_in_the_home(self, bench: Bench) -> None:
        assert bench.run(bench.task("pwd; touch f", workdir="/home/user/a/b")).stdout == "/home/user/a/b\n"

    def test_a_working_directory_elsewhere_is_the_images(self, bench: Bench) -> None:
        assert bench.run(bench.task("pwd", workdir="/bin")).stdout == "/bin\n"

    def test_much_output_arrives_whole(self, bench: Bench) -> None:
        done = bench.run("head -c 20000000 /dev/zero | tr '\\0' x; head -c 5000000 /dev/zero | tr '\\0' y >&2")
        assert done.stdout == "x" * 20_000_000
        assert done.stderr == "y" * 5_000_000

    def test_output_arrives_while_the_task_runs(self, bench: Bench) -> None:
        job = bench.job("echo early; sleep 1.5; echo late").start()
        until(lambda: job.stdout() == "early\n")
        assert job.finish().stdout == "early\nlate\n"


class TestFailures:
    def test_an_image_that_does_not_exist_is_named(self, bench: Bench) -> None:
        done = bench.run(bench.task("true", image=bench.image("missing:1")))
        assert (done.exit_code, done.report.outcome) == (250, Outcome.SYSTEM_FAILED)
        assert done.sentence.startswith(
            f"The image {bench.image('missing:1')} could not be fetched: there is no such image"
        )

    def test_an_image_that_needs_a_password_says_so(self, bench: Bench) -> None:
        done = bench.run(bench.task("true", image=bench.image("locked:1")))
        assert "could not be fetched: the registry refused it" in done.sentence

    def test_a_registry_that_does_not_answer_says_so(self, bench: Bench) -> None:
        done = bench.run(bench.task("true", image="127.0.0.1:1/tiny:1"))
        assert "could not be fetched: the registry cannot be reached" in done.sentence

    @pytest.mark.parametrize("program", ["nonexistent", "/bin/nonexistent", "./nonexistent"])
    def test_a_command_that_does_not_exist_is_named(self, bench: Bench, program: str) -> None:
        done = bench.run(bench.task(program, "x"))
        assert (done.exit_code, done.report.outcome) == (127, Outcome.TASK_FAILED)
        assert done.sentence.startswith(f'Task 0: the command "{program}" was not found in the image.')
        assert done.report.tasks[0].exit_code is None

    def test_a_command_that_is_no_program_is_named(self, bench: Bench) -> None:
        done = bench.run("echo text > f", bench.task("./f", "x"))
        assert done.exit_code == 126
        assert 'Task 1: the command "./f" cannot be executed.' in done.sentence

    def test_tasks_after_the_first_that_fails_are_not_run(self, bench: Bench) -> None:
        done = bench.run("echo one", "exit 4", "echo three")
        assert (done.exit_code, done.stdout, len(done.report.tasks)) == (4, "one\n", 2)

    def test_a_runtime_that_is_not_here_is_named(self, bench: Bench) -> None:
        done = bench.run(bench.task("true", runtimes=("podman",)))
        assert done.report.reason is Reason.NO_RUNTIME
        assert "it asks for podman" in done.sentence


class TestLimits:
    def test_the_walltime_ends_the_whole_tree_whatever_it_ignores(self, bench: Bench, marker: str) -> None:
        stubborn = f"trap '' TERM HUP INT; setsid sleep {marker} & sleep {marker} & sleep {marker}"
        script = f'trap "" TERM; setsid sh -c "{stubborn}" & echo started; sleep {marker}'
        job = bench.job(f"{script}; wait", walltime_s=2).start()
        assert until(lambda: len(processes_with(marker)) >= 4)
        started = time.monotonic()
        done = job.finish()
        assert time.monotonic() - started < 10
        assert processes_with(marker) == []
        assert (done.exit_code, done.report.outcome) == (251, Outcome.OUT_OF_TIME)
        assert done.sentence.startswith("The job ran longer than its walltime of 2 s.")
        assert 2 <= (done.report.tasks[0].wall_s or 0) < 10

    def test_the_warning_comes_before_the_end(self, bench: Bench) -> None:
        done = bench.run("trap 'echo tidied; exit 0' TERM; while :; do sleep 0.05; done", walltime_s=4, grace_s=20)
        assert done.stdout == "tidied\n"
        assert done.report.outcome is Outcome.OUT_OF_TIME

    def test_a_program_that_does_not_expect_the_warning_ends_at_once(self, bench: Bench, marker: str) -> None:
        started = time.monotonic()
        bench.run(bench.task("sleep", marker), walltime_s=1, grace_s=30)
        assert time.monotonic() - started < 20

    def test_tasks_share_the_walltime(self, bench: Bench, marker: str) -> None:
        done = bench.run("sleep 5", bench.task("sleep", marker), walltime_s=6)
        assert done.report.outcome is Outcome.OUT_OF_TIME
        assert (done.report.tasks[1].wall_s or 0) < 6

    def test_too_much_memory_is_told_apart_from_other_kills(self, bench: Bench) -> None:
        done = bench.run("x=$(head -c 150000000 /dev/zero | tr '\\0' x); sleep 10; echo ${#x}", memory_mib=100)
        assert (done.exit_code, done.report.outcome) == (252, Outcome.OUT_OF_MEMORY)
        assert done.sentence.startswith("The job needed more than its memory of 0.1 GB.")

    @pytest.mark.parametrize(
        "attempt",
        [
            "fill /home/user/f",
            "fill /tmp/f",
            "mkdir d; fill d/f; chmod 0 d",
            "d=/home/user/d; mkdir -p $d; ln -s / $d/root; fill $d/f; mv $d /tmp/e",
        ],
    )
    def test_too_much_disk_ends_the_job_wherever_it_is_hidden(self, bench: Bench, attempt: str) -> None:
        bench.disk_kib = 20 * 1024
        done = bench.run(f"fill() {{ head -c 40000000 /dev/zero > $1; }}; {attempt}; sleep 600", walltime_s=60)
        assert (done.exit_code, done.report.outcome) == (254, Outcome.OUT_OF_DISK)
        assert done.sentence.startswith("The job kept more than its disk of 0.02 GB on the worker.")

    def test_what_fits_may_be_kept(self, bench: Bench) -> None:
        bench.disk_kib = 100 * 1024
        assert bench.run("head -c 40000000 /dev/zero > f; sleep 3").report.outcome is Outcome.SUCCESS

    def test_a_stop_ends_the_tree_with_grace_and_is_reported(self, bench: Bench, marker: str) -> None:
        job = bench.job(f"trap 'echo tidied; exit 0' TERM; sleep {marker} & echo on; wait", grace_s=5).start()
        until(lambda: job.stdout() == "on\n" and processes_with(marker))
        assert job.report().outcome is Outcome.UNFINISHED
        job.signal(signal.SIGTERM)
        done = job.finish()
        assert done.stdout == "on\ntidied\n"
        assert (done.exit_code, done.report.outcome, done.report.reason) == (253, Outcome.REMOVED, Reason.INTERRUPTED)
        assert processes_with(marker) == []


class TestContainment:
    def test_a_task_is_the_slots_user_without_any_capability(self, bench: Bench) -> None:
        done = bench.run("id -u; id -g; grep -E '^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status")
        uid, gid, *capabilities, no_new_privileges = done.stdout.split("\n")[:-1]
        assert (uid, gid) == (str(SLOT_UID), str(SLOT_UID))
        assert {line.split()[1] for line in capabilities} == {"0000000000000000"}
        assert no_new_privileges.split()[1] == "1"

    def test_it_sees_no_file_of_the_worker_and_no_socket(self, bench: Bench) -> None:
        secret = f"secret-{uuid.uuid4().hex}"
        (bench.directory / secret).touch()
        done = bench.run(
            f"find / -name '{secret}' -o -name 'docker*.sock' -o -name broker.sock 2>/dev/null; ls /root /var/run"
        )
        assert secret not in done.stdout and ".sock" not in done.stdout
        assert "report.json" not in bench.run("ls -A / /home /home/user").stdout

    def test_it_sees_nobody_elses_processes(self, bench: Bench, marker: str) -> None:
        job = bench.job(bench.task("sleep", marker)).start()
        until(lambda: processes_with(marker))
        done = bench.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls -d /proc/[0-9]* | wc -l")
        job.signal(signal.SIGTERM)
        job.finish()
        assert marker not in done.stdout and "executor.pyz" not in done.stdout
        assert int(done.stdout.split()[-1]) < 10

    def test_it_reaches_no_network(self, bench: Bench) -> None:
        done = bench.run(
            "ip -o addr | grep -v ': lo '; cat /proc/net/route | tail -n +2; nc -w 1 127.0.0.1 22; echo $?"
        )
        assert done.stdout == "1\n"

    def test_it_cannot_write_outside_of_its_directories_on_the_worker(self, bench: Bench) -> None:
        done = bench.run("mount -t tmpfs x /tmp; echo x > /proc/sys/kernel/hostname; mknod /tmp/sda b 8 0; ls -A /tmp")
        assert done.stdout == ""

    def test_a_home_that_was_swapped_for_a_link_is_refused(self, bench: Bench) -> None:
        job = bench.job("ls -A")
        (job.sandbox / "home").symlink_to("/")
        done = job.start().finish()
        # The broker's homes are elsewhere, where no user can put a link; the others refuse it.
        assert done.stdout == ""
        assert done.report.outcome is Outcome.SUCCESS or "home is not the directory" in done.sentence

    def test_a_link_that_a_task_leaves_behind_leads_the_next_one_nowhere(self, bench: Bench) -> None:
        secret = f"secret-{uuid.uuid4().hex}"
        (bench.directory / secret).touch()
        swap = f"rmdir /home/user; mv /home/user /home/old; ln -s {bench.directory} a; ln -s / b"
        done = bench.run(swap, bench.task("ls -A . a b/etc; pwd", workdir="/home/user/b"), bench.task("ls -A a b"))
        assert secret not in done.stdout + done.stderr
        assert not Path(bench.directory / "made").exists()
