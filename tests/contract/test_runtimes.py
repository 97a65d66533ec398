"""The promise of `executor.ports.ContainerRuntime`, kept by every runtime, as the packed executor shows it."""

from __future__ import annotations

import re
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
    registry = Registry(mark=uuid.uuid4().hex)  # no engine has its layers
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
def fresh(bench: Bench, registry: Registry, engine: docker.DockerClient) -> Registry:
    """The registry, of whose images the worker has none."""
    _forget_images(engine, registry)
    registry.requests.clear()
    return registry


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
        if bench.runtime == "docker":
            assert str(task.image_digest).startswith("sha256:")

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


class TestOutputInAFile:
    def test_what_a_task_prints_goes_into_a_file_of_the_home_besides(self, bench: Bench) -> None:
        task = bench.task("echo out; sleep 0.2; echo err >&2", stdout="/home/user/logs/a.txt")
        done = bench.run(task, "echo between", "echo next; cat logs/a.txt; ls -l logs/a.txt | cut -c 1-10")
        assert (done.exit_code, done.stdout, done.stderr) == (0, "out\nbetween\nnext\nout\nerr\n-rw-------\n", "err\n")

    def test_it_may_be_in_a_directory_that_is_mounted(self, bench: Bench) -> None:
        with serving({"/data.tgz": a_tgz({"data/a": b"mounted\n"})}) as base:
            job = bench.job(
                bench.task("echo more", stdout="/opt/data/logs/b"),
                "cat /opt/data/logs/b",
                api=base,
                artifacts=(PlannedArtifact(f"{base}/data.tgz", "data.tgz"),),
                mounts=(PlannedMount("data", "/opt/data"),),
            )
            (job.sandbox / TOKEN_FILE).write_text("a token")
            done = job.start().finish()
        assert (done.exit_code, done.stdout) == (0, "more\nmore\n"), done.stderr

    def test_much_of_it_arrives_whole(self, bench: Bench) -> None:
        script = "head -c 20000000 /dev/zero | tr '\\0' x; head -c 5000000 /dev/zero | tr '\\0' y >&2"
        done = bench.run(bench.task(script, stdout="/home/user/a"), "wc -c < a; tr -d x < a | wc -c")
        assert done.stdout == "x" * 20_000_000 + "25000000\n5000000\n"
        assert done.stderr == "y" * 5_000_000

    def test_its_exit_code_is_the_tasks(self, bench: Bench) -> None:
        done = bench.run(bench.task("echo a; exit 3", stdout="/home/user/a"))
        assert (done.exit_code, done.stdout, done.report.reason) == (3, "a\n", Reason.TASK_FAILED)

    @pytest.mark.parametrize(
        "trap",
        [
            "ln -s /tmp/elsewhere a",
            "ln -s b a; echo kept > b",
            "ln -s ../.. logs; ln -s /etc/passwd a",
            "mkfifo a",
            "mkdir a",
            "ln -s /dev/null a",
        ],
    )
    def test_no_link_and_nothing_but_a_file_is_written_to(self, bench: Bench, trap: str) -> None:
        for path in ("/home/user/a", "/home/user/logs/a") if "logs" in trap else ("/home/user/a",):
            job = bench.job(trap, bench.task("echo written", stdout=path)).start()
            done = job.finish()
            assert (done.report.outcome, done.report.reason) == (Outcome.SYSTEM_FAILED, Reason.OUTPUT_NOT_FOUND)
            assert done.sentence.startswith(f"The output {path} could not be kept: ")
            assert done.stdout == ""


class TestApps:
    @pytest.mark.parametrize("bench", ["apptainer"], indirect=True)
    def test_an_app_of_the_image_is_run(self, bench: Bench) -> None:
        done = bench.run(bench.task(command=(), app="greet"), bench.task("hello", "x y", app="greet"))
        assert (done.exit_code, done.stdout) == (0, "greetings\nhello x y\n"), done.stderr

    @pytest.mark.parametrize("bench", ["apptainer"], indirect=True)
    def test_an_app_that_is_not_there_is_told(self, bench: Bench) -> None:
        done = bench.run(bench.task(command=(), app="missing"))
        assert (done.exit_code, done.report.reason) == (1, Reason.TASK_FAILED)
        assert done.stdout == "Could not locate the container application: missing\n"


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
        done = bench.run(bench.task("true", image="127.0.0.1:1/tiny:1"), pull_limit_s=1)
        assert "could not be fetched: the registry cannot be reached" in done.sentence
        assert done.report.reason is Reason.IMAGE_UNAVAILABLE

    def test_a_registry_that_comes_back_is_waited_for(self, bench: Bench, fresh: Registry) -> None:
        fresh.away = True
        job = bench.job("echo on").start()
        until(lambda: fresh.requests)
        fresh.away = False
        done = job.finish(120)
        assert done.stdout == "on\n", done.report

    def test_a_pull_that_breaks_off_in_the_middle_is_gone_on_with(self, bench: Bench, fresh: Registry) -> None:
        fresh.breaks = 1
        done = bench.job("echo on").start().finish(120)
        assert (done.stdout, fresh.breaks) == ("on\n", 0), done.report

    def test_one_that_always_breaks_off_says_so(self, bench: Bench, fresh: Registry) -> None:
        fresh.breaks = 10_000
        done = bench.job("true", pull_limit_s=10).start().finish(60)
        fresh.breaks = 0
        assert done.report.reason in (Reason.IMAGE_UNAVAILABLE, Reason.IMAGE_PULL_FAILED), done.report

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
        assert re.match(r"The job ran longer than its walltime: \d+ s of 2 s\.", done.sentence), done.sentence
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
        # However long a busy engine takes for a container, the second has less time than the first has left it.
        done = bench.run("sleep 5", bench.task("sleep", marker), walltime_s=30)
        assert done.report.outcome is Outcome.OUT_OF_TIME
        assert 0 < (done.report.tasks[1].wall_s or 0) < 26

    def test_too_much_memory_is_told_apart_from_other_kills(self, bench: Bench) -> None:
        done = bench.run("x=$(head -c 150000000 /dev/zero | tr '\\0' x); sleep 10; echo ${#x}", memory_mib=100)
        assert (done.exit_code, done.report.outcome) == (252, Outcome.OUT_OF_MEMORY)
        assert re.match(r"The job needed more than its memory: (more than )?0\.\d+ GB of 0\.1 GB\.", done.sentence), (
            done.sentence
        )

    def test_what_a_task_has_used_is_told(self, bench: Bench) -> None:
        work = (
            "x=$(head -c 30000000 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 2"
        )
        (task,) = bench.run(work, memory_mib=200).report.tasks
        assert 0.1 < (task.cpu_s or 0) < 60
        assert 30_000 < (task.max_rss_kib or 0) < 200 * 1024

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
        assert re.match(
            r"The job kept more on the worker than its disk: (more than )?0\.\d+ GB of 0\.02 GB\.", done.sentence
        )

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


class TestSidecars:
    def test_they_run_from_before_the_first_task_until_after_the_last_one(self, bench: Bench, marker: str) -> None:
        serving = f"trap 'echo ended > ended; exit 3' TERM; echo up > up; sleep {marker} & wait"
        look = "until test -e up; do sleep 0.05; done; ls; echo $PROMINENCE_TASK_NUM"
        done = bench.run(look, bench.task(serving, beside=True), "ls", grace_s=10)
        assert done.stdout == "up\n0\nup\n"
        assert done.report.outcome is Outcome.SUCCESS
        assert [task.exit_code for task in done.report.tasks] == [0, 0]
        assert [sidecar.exit_code for sidecar in done.report.sidecars] == [3]
        assert processes_with(marker) == []

    def test_what_ignores_the_warning_is_killed_with_all_that_it_started(self, bench: Bench, marker: str) -> None:
        stubborn = f"trap '' TERM; setsid sleep {marker} & echo up > up; sleep {marker}"
        done = bench.run(bench.task(stubborn, beside=True), "until test -e up; do sleep 0.05; done")
        assert done.report.outcome is Outcome.SUCCESS
        assert processes_with(marker) == []

    def test_one_that_ends_leaves_the_tasks_alone(self, bench: Bench) -> None:
        done = bench.run(
            bench.task("exit 7", beside=True), bench.task("nonexistent", "x", beside=True), "sleep 2; echo on"
        )
        assert (done.stdout, done.report.outcome) == ("on\n", Outcome.SUCCESS)
        assert done.report.sidecars[0].exit_code == 7

    def test_a_stop_ends_them_too(self, bench: Bench, marker: str) -> None:
        job = bench.job(bench.task("sleep", marker, beside=True), f"echo on; exec sleep {marker}").start()
        until(lambda: job.stdout() == "on\n" and len(processes_with(marker)) >= 2)
        job.signal(signal.SIGTERM)
        assert job.finish().report.outcome is Outcome.REMOVED
        assert processes_with(marker) == []

    def test_all_of_them_share_one_memory(self, bench: Bench) -> None:
        def hold(mark: str, seconds: int) -> str:
            """80 MB, which are written to who does not read."""
            fill = f"dd if=/dev/zero of=pipe-{mark} bs=80M count=1"
            return f"mkfifo pipe-{mark}; sleep {seconds} < pipe-{mark} & {fill} & sleep 1; echo > {mark}; wait"

        second = f"until test -e one; do sleep 0.05; done; {hold('two', 10)}"
        done = bench.run(bench.task(hold("one", 60), beside=True), second, memory_mib=150)
        # Who uses the engine's command gets as much for each container.
        expected = Outcome.SUCCESS if bench.groups else Outcome.OUT_OF_MEMORY
        assert done.report.outcome is expected

    def test_an_image_of_theirs_that_cannot_be_had_is_named(self, bench: Bench) -> None:
        done = bench.run(bench.task("true", image=bench.image("missing:1"), beside=True), "echo never")
        assert (done.stdout, done.report.reason) == ("", Reason.IMAGE_NOT_FOUND)


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
