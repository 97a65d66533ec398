"""What the executor costs: a job whose one task is `true`, in a sandbox like HTCondor's, against the bare runtime.

executor.overhead.*: the executor's process as HTCondor starts it, from its start to its end, beside the process of the
bare command. Both have the image: Docker's engine has it, and Apptainer's file is the one that the worker keeps.

executor.start.*: from the start of the executor's process to the moment in which the first program of its container
reads the clock, which the worker and the container share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.harness import Goal, Row, figure, in_pairs, measured_in_pairs
from benchmarks.inside import Done, Inside
from benchmarks.pools import ACCOUNT, DOCKER, SOCKET, WarmWorker, tiny_image, warm_worker
from prominence.core import document, plan
from prominence.imc.userdata import IMAGES

PAIRS = 21
GOAL = Goal(ratio=1.3, more=0.3)
START_GOAL = Goal(figure=0.3)
_CLOCK = ("cat", "/proc/uptime")

# A sandbox like that of the job that runs, beside it. HTCondor ends the job's account's processes with the job, so this
# one is another slot's.
_COPY = """
set -eu
job="$(ls -d "$1"/dir_[0-9]*)"
mkdir "$1/dir_bench"
cp -a "$job/.machine.ad" "$job/.job.ad" "$job/executor.pyz" "$1/dir_bench"
cat > "$1/dir_bench/plan.json" <<EOF
$2
EOF
chown "$3:$3" "$1/dir_bench"
"""


def overhead_docker() -> list[Row]:
    """Docker, by the broker."""
    image = tiny_image()
    with warm_worker() as worker, _sandbox(worker, image, "docker") as sandbox:
        bare = [DOCKER, "run", "--rm", "--network", "none", image, "true"]
        return _overhead("docker", sandbox, bare)


def overhead_apptainer() -> list[Row]:
    """Apptainer. The worker makes the image when the executor runs for the first time, which does not count."""
    with warm_worker() as worker, _sandbox(worker, f"{worker.registry}/tiny:1", "apptainer") as sandbox:
        sandbox.execute()
        with Inside(worker.container, "root") as root:
            file = root.run("sh", "-c", f"ls {IMAGES}/*.sif").output.strip()
        return _overhead("apptainer", sandbox, ["apptainer", "exec", file, "true"])


def start_docker() -> list[Row]:
    """Docker, by the broker."""
    with warm_worker() as worker, _sandbox(worker, tiny_image(), "docker", _CLOCK) as sandbox:
        return _start("docker", sandbox)


def start_apptainer() -> list[Row]:
    """Apptainer, whose image is there since the executor has run once before."""
    with warm_worker() as worker, _sandbox(worker, f"{worker.registry}/tiny:1", "apptainer", _CLOCK) as sandbox:
        sandbox.execute()
        return _start("apptainer", sandbox)


def _start(runtime: str, sandbox: _Sandbox) -> list[Row]:
    begun = sandbox.inside.run(*_CLOCK)
    ahead = float(begun.output.split()[0]) - begun.began  # of our clock; it reads hundredths of seconds
    samples = []
    for _ in range(PAIRS):
        done = sandbox.execution()
        samples.append(float(done.output.split()[0]) - done.began - ahead)
    return [figure(f"executor.start.{runtime}", samples, START_GOAL)]


@dataclass(frozen=True)
class _Sandbox:
    """A job's directory on a worker, and its account at work there."""

    path: str
    inside: Inside

    def execute(self) -> float:
        """Run the executor; the seconds it took."""
        return self.execution().took

    def execution(self) -> Done:
        """Run the executor."""
        env = {
            "_CONDOR_SCRATCH_DIR": self.path,
            "_CONDOR_JOB_AD": f"{self.path}/.job.ad",
            "_CONDOR_MACHINE_AD": f"{self.path}/.machine.ad",
        }
        return self.inside.run(f"{self.path}/executor.pyz", "plan.json", env=env, cwd=self.path)


@contextmanager
def _sandbox(worker: WarmWorker, image: str, runtime: str, command: tuple[str, ...] = ("true",)) -> Iterator[_Sandbox]:
    task = plan.PlannedTask(image=image, runtimes=(runtime,), command=command)
    orders = plan.ExecutionPlan("bench", "bench", (task,), cpus=1, memory_mib=200, walltime_s=600)
    job = worker.pool.submit({"image": tiny_image(), "cmd": "sleep 600", "runtime": "docker"})
    worker.pool.wait_for(job, "running")
    execute_dir = f"{worker.pool.state}/workers/{worker.container.labels['prominence.worker']}/execute"
    with Inside(worker.container, "root") as root:
        root.run("sh", "-c", _COPY, "copy", execute_dir, document.dumps(orders), ACCOUNT)
    worker.pool.request("DELETE", f"/jobs/{job}")
    worker.pool.finish(job)
    with Inside(worker.container, ACCOUNT) as inside:
        yield _Sandbox(f"{execute_dir}/dir_bench", inside)


def _overhead(runtime: str, sandbox: _Sandbox, bare: list[str]) -> list[Row]:
    env = {"PATH": "/usr/bin:/bin", "HOME": sandbox.path, "DOCKER_HOST": f"unix://{SOCKET}"}
    pairs = measured_in_pairs(lambda: sandbox.inside.run(*bare, env=env).took, sandbox.execute, PAIRS)
    return [in_pairs(f"executor.overhead.{runtime}", pairs, GOAL)]


MEASUREMENTS = {
    "executor.overhead.docker": overhead_docker,
    "executor.overhead.apptainer": overhead_apptainer,
    "executor.start.docker": start_docker,
    "executor.start.apptainer": start_apptainer,
}
