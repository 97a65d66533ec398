"""The options of `prominence create` that say what the new job is, and the part of the job that each stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prominence.cli import documents
from prominence.cli.commands.options import Pair
from prominence.cli.commands.places import placement, placing

if TYPE_CHECKING:
    NumbersType = click.ParamType[list[int]]
else:
    NumbersType = click.ParamType  # generic in click's newest versions only

Command = TypeVar("Command", bound=Callable[..., Any])

REGISTRY_TOKEN = "PROMINENCE_REGISTRY_TOKEN"
"""Not an option: everybody on the machine sees what is on a command line."""

RUNTIMES = ("apptainer", "singularity", "docker", "podman", "udocker", "process")


class TwoNumbers(NumbersType):
    """A,B."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Both of them; which may go together is the API's business."""
        words = [word.strip() for word in str(value).split(",")]
        if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
            self.fail(f"{value!r} is not two whole numbers with a comma between.", param, ctx)
        return [int(word) for word in words]


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _storage(context: click.Context, option: click.Parameter, file: Path | None) -> Any:
    return None if file is None else documents.storage(file.read_bytes(), str(file))


_OPTIONS = (
    click.option("--name", help="A name for the job."),
    click.option("--group", help="Which of your groups the job is charged to. Default: as the service has it."),
    click.option("--cpus", type=int, help="Cores."),
    click.option("--cpus-range", type=TwoNumbers(), help="In place of --cpus: the fewest and the most cores."),
    click.option("--cpus-options", type=TwoNumbers(), help="In place of --cpus: one of two numbers of cores."),
    click.option("--total-cpus-range", type=TwoNumbers(), help="In place of --nodes: the fewest and the most cores of "
                 "all nodes together, each of which has --cpus."),
    click.option("--memory", type=float, help="Memory in GB."),
    click.option("--memory-per-cpu", type=float, help="In place of --memory: GB for each core."),
    click.option("--disk", type=float, help="Scratch disk in GB."),
    click.option("--gpus", type=int, help="GPUs that are the job's alone."),
    click.option("--gpu-memory", type=float, help="GB that each GPU has at least."),
    click.option("--gpu-capability", type=float, help="CUDA's compute capability that each GPU has at least."),
    click.option("--nodes", type=int, default=1, show_default=True, help="Number of nodes: as many machines, or "
                 "parts of some, at the same time."),
    click.option("--on-all-nodes", is_flag=True, default=None, help="Run the command on all of them, where no MPI "
                 "starts it, and not on the first alone."),
    click.option("--walltime", type=int, help="Minutes that the job may run."),
    click.option("--artifact", "artifacts", multiple=True, metavar="NAME[:DIRECTORY:/PATH]",
                 help="An object, or a web address, to fetch and unpack before the job starts; with the directory that "
                 "it brings at /PATH. May be repeated."),
    click.option("--input", "inputs", type=_FILE, multiple=True, help="A small file to send along. May be repeated."),
    click.option("--output", "output_files", metavar="PATH", multiple=True, help="A file to keep. May be repeated."),
    click.option("--outputdir", "output_dirs", metavar="PATH", multiple=True,
                 help="A directory to keep, as a .tgz. May be repeated."),
    click.option("--env", type=Pair(), multiple=True, help="An environment variable. May be repeated."),
    click.option("--label", type=Pair(), multiple=True, help="A label to find the job by. May be repeated."),
    click.option("--workdir", help="Working directory in the container."),
    click.option("--openmpi", "mpi", flag_value="openmpi", help="Start the command with the mpirun of Open MPI."),
    click.option("--mpich", "mpi", flag_value="mpich", help="Start the command with the mpirun of MPICH."),
    click.option("--intelmpi", "mpi", flag_value="intelmpi", help="Start the command with the mpirun of Intel MPI."),
    click.option("--procs-per-node", type=int, help="Processes of such a command. Default: one for each core."),
    click.option("--runtime", type=click.Choice(RUNTIMES), help="The container runtime to prefer. Default: any."),
    click.option("--app", help="One of the apps in an image of Apptainer's."),
    click.option("--stdout", metavar="PATH", help="A file in the job's home, or in what is mounted, that its output "
                 "goes into besides."),
    click.option("--image-sha256", metavar="HEX", help="SHA-256 of an image that is a file; no other is run."),
    click.option("--registry-username", metavar="NAME", help="Who fetches the image, where its registry wants to know. "
                 f"The token or password is read from {REGISTRY_TOKEN}, or asked for."),
    click.option("--storage", type=_FILE, callback=_storage, metavar="FILE", help="A file with the job's section "
                 "storage, in JSON or YAML: storage of your own that it sees as a directory."),
    click.option("--retries", type=int, help="How often the job runs again when it has failed."),
    click.option("--task-retries", type=int, help="How often a task that fails is run again on its worker."),
    click.option("--checkpoint", metavar="PATH", help="What is saved of the job while it runs, to go on from should it "
                 "begin anew."),
    click.option("--checkpoint-interval", type=float, metavar="MINUTES", help="How often. Default: "
                 "as the service has it."),
    click.option("--max-time-in-queue", type=int, help="Minutes that the job may wait at a stretch."),
    click.option("--priority", type=int, help="Among your own jobs; those with a larger one start first."),
    click.option("--leave-in-queue", is_flag=True, default=None, help="Keep it in the queue after its end, until "
                 "`prominence remove`."),
    click.option("--preemptible/--no-preemptible", default=None, help="Whether it may run on machines that their cloud "
                 "can take away. Default: it may."),
    click.option("--notify", is_flag=True, default=None, help="Get an email when the job has ended."),
    click.option("--notify-webhook", is_flag=True, default=None, help="Have your webhooks called when it has ended."),
    click.option("--report-success-on-task-failure", is_flag=True, default=None,
                 help="Count the job as completed although its command has failed."),
)  # fmt: skip

_RESOURCES = {
    "nodes": "nodes",
    "cpus": "cpus",
    "cpus_range": "cpusRange",
    "total_cpus_range": "totalCpusRange",
    "cpus_options": "cpusOptions",
    "memory": "memory",
    "memory_per_cpu": "memoryPerCpu",
    "disk": "disk",
    "walltime": "walltime",
}
_GPUS = {"gpus": "count", "gpu_memory": "minimumMemory", "gpu_capability": "capability"}
_CHECKPOINT = {"checkpoint": "path", "checkpoint_interval": "interval"}
_POLICIES = {
    "retries": "maximumRetries",
    "task_retries": "maximumTaskRetries",
    "on_all_nodes": "runSerialTasksOnAllNodes",
    "max_time_in_queue": "maximumTimeInQueue",
    "priority": "priority",
    "leave_in_queue": "leaveInQueue",
    "preemptible": "preemptible",
    "report_success_on_task_failure": "reportJobSuccessOnTaskFailure",
}
"""Options, and what the API calls them."""

_CHANNELS = {"notify": "email", "notify_webhook": "webhook"}


def describing(command: Command) -> Command:
    """All of these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return placing(command)


def job(said: Mapping[str, Any], registry_token: str | None = None) -> dict[str, Any]:
    """The job that image, command and options describe. Raises ClientError for files that cannot be sent."""
    user = said["registry_username"]
    task = {
        "image": said["image"],
        "imageSha256": said["image_sha256"],
        "cmd": documents.command_line(said["command"]),
        "type": said["mpi"],
        "procsPerNode": said["procs_per_node"],
        "runtime": said["runtime"],
        "env": dict(said["env"]),
        "workdir": said["workdir"],
        "app": said["app"],
        "stdout": said["stdout"],
        "imagePullCredential": None if user is None else {"username": user, "token": registry_token},
    }
    return documents.said(
        {
            "name": said["name"],
            "group": said["group"],
            "labels": dict(said["label"]),
            "tasks": [documents.said(task)],
            "resources": {**_named(_RESOURCES, said), **documents.said({"gpus": _named(_GPUS, said)})},
            "policies": {
                **_named(_POLICIES, said),
                **documents.said({"placement": placement(said), "checkpoint": _named(_CHECKPOINT, said)}),
            },
            "notifications": [{"event": "jobFinished", "type": how} for name, how in _CHANNELS.items() if said[name]],
            "inputs": [documents.input_file(path) for path in said["inputs"]],
            "artifacts": [documents.artifact(text) for text in said["artifacts"]],
            "outputFiles": list(said["output_files"]),
            "outputDirs": list(said["output_dirs"]),
            "storage": said["storage"],
        }
    )


def _named(names: Mapping[str, str], said: Mapping[str, Any]) -> dict[str, Any]:
    return documents.said({key: said[name] for name, key in names.items()})
