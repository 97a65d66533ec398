"""What a hostile task tries, from inside its container: `python3 attempts.py`, with the targets in $TARGETS.

Runs on the standard library alone, in an image made for it. Each attempt is a function that gives what it got and
fails, with an OSError or by giving nothing, where it got nothing. One line of JSON is printed for each:
{"attempt": name, "got": text or null, "why": text}, or {"attempt": name, "broken": text} where the attempt is wrong.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import json
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

TARGETS = json.loads(os.environ.get("TARGETS", "{}"))
ATTEMPTS: dict[str, Callable[[], object]] = {}
LIBC = ctypes.CDLL(None, use_errno=True)
PATIENCE_S = 1.0
TOO_LONG_S = 60
LEFT, KEY, LEFT_SHARED = "left-behind", "hostile:left-behind", 4711
ADD_KEY, KEYCTL, KEYCTL_SEARCH = 248, 250, 10
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
QUERY_STARTD_ADS = 5


def attempt(function: Callable[[], object]) -> Callable[[], object]:
    """Known by its name."""
    ATTEMPTS[function.__name__] = function
    return function


def main() -> int:
    """All at once, each in a process of its own: one that is killed, or changes its own rights, touches no other."""
    if "--leave" in sys.argv:
        print(leave_something_behind())
        return 0
    if "--be-a-neighbour" in sys.argv:
        be_a_neighbour(int(sys.argv[2]))
    said = [_begun(name) for name in ATTEMPTS]
    for name, child, pipe in said:
        with os.fdopen(pipe, "rb") as file:
            line = file.read().decode()
        _, status = os.waitpid(child, 0)
        print(line or json.dumps({"attempt": name, "broken": f"it died with {status}"}), flush=True)
    return 0


def _begun(name: str) -> tuple[str, int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(TOO_LONG_S)
        os.write(writing, json.dumps(_tried(name)).encode())
        os._exit(0)
    os.close(writing)
    return name, child, reading


def _tried(name: str) -> dict[str, object]:
    try:
        got = ATTEMPTS[name]()
    except OSError as error:
        return {"attempt": name, "got": None, "why": str(error)}
    except Exception as error:  # noqa: BLE001 - an attempt that is wrong must not pass for one that got nothing
        return {"attempt": name, "broken": f"{type(error).__name__}: {error}"}
    return {"attempt": name, "got": str(got)[:500] if got else None, "why": "there is nothing"}


# What is there before: a neighbour, and what an earlier job has left behind


def be_a_neighbour(port: int) -> None:
    """With something to lose: a port, a file, an environment, and a process that is known by its last argument."""
    with open("/home/user/own", "w") as file, socket.create_server(("", port)):
        file.write("mine alone")
        signal.pause()


def leave_something_behind() -> object:
    """Run by itself, before the others."""
    left = []
    for place in ("/tmp", "/var/tmp", "/dev/shm", "/home/user", "/run/lock", "/"):
        try:
            with open(f"{place}/{LEFT}", "w") as file:
                file.write(LEFT)
        except OSError:
            continue
        left.append(place)
    for ring in (-3, -4, -5):
        LIBC.syscall(ADD_KEY, b"user", KEY.encode(), LEFT.encode(), len(LEFT), ring)
    LIBC.shmget(LEFT_SHARED, 4096, 0o1666)
    return left


# Reach


def _reached(addresses: list[str], ports: list[int]) -> list[str]:
    """Those that take a connection; all are tried at once."""
    trying = {}
    for address in addresses:
        for port in ports:
            one = socket.socket()
            one.setblocking(False)
            try:
                failed = one.connect_ex((address, port)) not in (0, errno.EINPROGRESS)
            except OSError:  # no such name
                failed = True
            if not failed:
                trying[one] = f"{address}:{port}"
    found, give_up_at = [], time.monotonic() + PATIENCE_S
    while trying and time.monotonic() < give_up_at:
        _, done, _ = select.select([], list(trying), [], 0.1)
        for one in done:
            name = trying.pop(one)
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(name)
    return found


def _unix(names: list[str]) -> list[str]:
    found = []
    for name in names:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(PATIENCE_S)
            try:
                one.connect(name)
            except OSError:
                continue
            found.append(name.replace("\0", "@"))
    return found


def _abstract_names() -> list[str]:
    with open("/proc/net/unix") as file:
        return ["\0" + line.split()[7][1:] for line in file if len(line.split()) > 7 and line.split()[7][0] == "@"]


@attempt
def control_reaches_itself() -> object:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return _reached(["127.0.0.1"], [server.getsockname()[1]])


@attempt
def control_reaches_its_own_socket() -> object:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0hostile-control")
        server.listen()
        return "@hostile-control" in _unix(_abstract_names())


@attempt
def reaches_the_world() -> object:
    return _reached(TARGETS["world"], [TARGETS["port"]])


@attempt
def reaches_a_metadata_service() -> object:
    return _reached([*TARGETS["metadata"], "169.254.169.254", "169.254.170.2"], [80, TARGETS["port"]])


@attempt
def reaches_the_collector_by_name() -> object:
    return _reached(["ap", "access-point", TARGETS["pool"] + "-access-point"], [9618])


@attempt
def reaches_condor_by_address() -> object:
    return _reached([*TARGETS["access_point"], *TARGETS["workers"]], [9618, 9614, 9620])


@attempt
def is_told_by_htcondor_without_a_token() -> object:
    """A query for the pool's machines in HTCondor's own words, from nobody."""
    query = struct.pack(">qq", QUERY_STARTD_ADS, 1) + b"Requirements = true\0Query\0Machine\0"
    told = []
    for address in TARGETS["access_point"]:
        with socket.create_connection((address, 9618), PATIENCE_S) as connection:
            connection.sendall(struct.pack(">BI", 1, len(query)) + query)
            try:
                told.append(connection.recv(1000))
            except ConnectionError:
                continue
    return any(told)


@attempt
def reaches_etcd() -> object:
    return _reached(["etcd", *TARGETS["access_point"], "127.0.0.1"], [2379, 2380])


@attempt
def reaches_imc() -> object:
    return _reached(["imc", "imc-control", *TARGETS["imc"], "127.0.0.1"], [9700])


@attempt
def reaches_the_api() -> object:
    return _reached(["ap", *TARGETS["access_point"], *TARGETS["machine"], "127.0.0.1"], [8080, TARGETS["api_port"]])


@attempt
def is_told_jobs_by_the_api_without_a_token() -> object:
    for host in ("ap", *TARGETS["access_point"]):
        try:
            answer = urllib.request.urlopen(f"http://{host}:8080/prominence/v1/jobs", timeout=PATIENCE_S)
        except urllib.error.HTTPError as error:
            if error.code == 401:
                continue
            return error.code
        except OSError:
            continue
        return answer.read()
    return None


@attempt
def reaches_a_service_of_the_machine() -> object:
    return _reached(TARGETS["machine"], [TARGETS["machine_port"]])


@attempt
def reaches_docker_by_network() -> object:
    return _reached(["127.0.0.1", *TARGETS["machine"]], [2375, 2376, 2377])


@attempt
def reaches_docker_by_path() -> object:
    places = ("/var/run", "/run", "/run/prominence", "/run/prominence/private", "/proc/1/root/run", "/run/containerd")
    return _unix([f"{place}/{name}" for place in places for name in ("docker.sock", "containerd.sock", "broker.sock")])


@attempt
def reaches_an_abstract_socket() -> object:
    return _unix(_abstract_names())


@attempt
def finds_any_socket_file() -> object:
    found = []
    for top in ("/run", "/var", "/tmp", "/home", "/dev", "/etc"):
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    found.append(path)
    return found


@attempt
def reaches_a_neighbours_port() -> object:
    return _reached([*TARGETS["neighbours"], "127.0.0.1"], TARGETS["neighbours_ports"])


# Read


def _read(*patterns: str) -> list[str]:
    """What can be read of these files."""
    found = []
    for pattern in patterns:
        for path in glob.glob(pattern):
            try:
                with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                    content = file.read(200)
            except OSError:
                continue
            if content:
                found.append(f"{path}: {content!r}")
    return found


@attempt
def control_reads_its_own_files() -> object:
    return _read("/etc/hostile-image")


@attempt
def reads_passwords() -> object:
    return _read("/etc/shadow", "/etc/gshadow", "/proc/1/root/etc/shadow", "/proc/*/root/etc/shadow")


@attempt
def reads_tokens_and_keys() -> object:
    directories = ("/etc/condor/tokens.d", "/etc/condor", "/run/prominence", "/etc/prominence", TARGETS["state"])
    return _read(*[f"{root}{one}/*" for one in directories for root in ("", "/proc/1/root", "/proc/1/cwd/../../../..")])


@attempt
def reads_the_pools_state() -> object:
    return _read(*[f"{TARGETS['state']}/{name}" for name in ("env", "secrets/*", "config/*", "jobs/*/*", "pool.json")])


@attempt
def finds_another_sandbox() -> object:
    ours = {os.path.realpath(place) for place in ("/home/user", "/tmp")}
    found = [path for top in ("/", "/home", "/tmp", "/var", "/mnt") for path in glob.glob(f"{top}/**/dir_*")]
    workers = glob.glob(f"{TARGETS['state']}/workers/*/*/*")
    return [path for path in found + workers if os.path.realpath(path) not in ours]


@attempt
def reads_what_an_earlier_job_left() -> object:
    places = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/home/user", "/run/lock", "/home", "/root")
    return [path for place in places for path, _, names in os.walk(place) for name in names if LEFT in name]


@attempt
def finds_secrets_in_its_environment() -> object:
    words = ("TOKEN", "SECRET", "PASSW", "CONDOR", "BROKER", "DOCKER", "APPTAINERENV_", "KEY")
    return [name for name in os.environ if any(word in name for word in words) and name != "TARGETS"]


@attempt
def finds_secrets_in_other_environments() -> object:
    with open("/proc/self/environ", "rb") as file:
        own = file.read()
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            continue
        if any(word in content and word not in own for word in (b"_CONDOR_", b"PROMINENCE_BROKER", b"TOKEN")):
            found.append(path)
    return found


@attempt
def reads_the_kernels_log() -> object:
    size = LIBC.klogctl(10, None, 0)
    return _read("/dev/kmsg", "/proc/kmsg") or size > 0


@attempt
def reads_memory_of_the_machine() -> object:
    return _read("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/proc/1/mem")


@attempt
def reads_block_devices() -> object:
    devices = [path for path in glob.glob("/dev/**", recursive=True) if stat.S_ISBLK(os.lstat(path).st_mode)]
    return _read(*devices, "/dev/vda", "/dev/sda", "/dev/nvme0n1")


@attempt
def reads_kernel_addresses_and_keys() -> object:
    with open("/proc/kallsyms") as file:
        address = file.readline().split()[0]
    return int(address, 16) or _read("/sys/firmware/dmi/tables/DMI", "/sys/kernel/debug/*")


@attempt
def inherits_a_descriptor() -> object:
    """Anything that is neither a pipe nor a file of its own: a socket, a directory of the host."""
    found = []
    for name in os.listdir("/proc/1/fd"):
        try:
            kind = os.stat(f"/proc/1/fd/{name}").st_mode
        except OSError:
            continue
        if stat.S_ISSOCK(kind) or stat.S_ISDIR(kind) or stat.S_ISBLK(kind):
            found.append(os.readlink(f"/proc/1/fd/{name}"))
    return found


@attempt
def opens_the_host_by_a_leaked_descriptor() -> object:
    inside = (os.stat("/").st_dev, os.stat("/").st_ino)
    found = []
    for number in range(3, 20):
        place = f"/proc/self/fd/{number}/../../../../.."
        try:
            root = os.stat(place)
        except OSError:
            continue
        if (root.st_dev, root.st_ino) != inside:
            found.append(place)
    return found


# A neighbour's process


def _status(pid: int) -> str:
    with open(f"/proc/{pid}/status") as file:
        return file.read()


def _strangers() -> list[int]:
    """Processes that no first process of this container has begun."""
    known = (b"attempts.py", b"python3", b"docker-init", b"appinit", b"sh\0", b"sleep", b"setuid-id")
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                line = file.read()
        except OSError:
            continue
        if line and not any(word in line for word in known):
            found.append(int(path.split("/")[2]))
    return found


@attempt
def control_signals_and_traces_its_own_child() -> object:
    child = os.fork()
    if child == 0:
        signal.pause()
    os.kill(child, 0)
    traced = LIBC.ptrace(16, child, None, None)  # PTRACE_ATTACH
    if traced == 0:
        os.waitpid(child, 0)
    os.kill(child, signal.SIGKILL)
    return traced == 0


@attempt
def sees_processes_of_others() -> object:
    return [(pid, _status(pid).splitlines()[0]) for pid in _strangers()]


@attempt
def finds_the_neighbour_by_its_marker() -> object:
    marker = TARGETS["marker"].encode()
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with open(path, "rb") as file:
            if marker in file.read().split(b"\0"):
                found.append(path)
    return found


def _signalled(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            os.kill(pid, 0)
        except OSError:
            continue
        found.append(pid)
    return found


@attempt
def signals_processes_of_the_worker() -> object:
    """By the ids that they have outside: executor, starter, startd, broker, the neighbour's."""
    outside = [pid for pid in TARGETS["pids"] if not os.path.exists(f"/proc/{pid}")]
    return _signalled(outside)


@attempt
def traces_processes_of_the_worker() -> object:
    outside = [pid for pid in TARGETS["pids"] if not os.path.exists(f"/proc/{pid}")]
    return [pid for pid in outside if LIBC.ptrace(16, pid, None, None) == 0]


@attempt
def attaches_to_memory_of_others() -> object:
    before = ctypes.get_errno()
    found = [
        number
        for number in (LEFT_SHARED, *range(1, 64))
        if LIBC.shmget(number, 0, 0) >= 0 and ctypes.get_errno() == before
    ]
    with open("/proc/sysvipc/shm") as file:
        return found or file.readlines()[1:]


# Privileges


def _capabilities() -> dict[str, int]:
    lines = [line.split() for line in _status(os.getpid()).splitlines() if line.startswith("Cap")]
    return {name.rstrip(":"): int(value, 16) for name, value in lines}


def _checked(result: int) -> bool:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True


@attempt
def has_capabilities() -> object:
    sets = _capabilities()
    return {name: hex(value) for name, value in sets.items() if value and name != "CapBnd"}


@attempt
def may_gain_privileges() -> object:
    return "NoNewPrivs:\t1" not in _status(os.getpid())


@attempt
def is_in_a_group_of_the_system() -> object:
    return [group for group in {*os.getgroups(), os.getgid(), os.getegid()} if group < 1000]


@attempt
def becomes_root() -> object:
    for call in (os.setuid, os.setgid, os.seteuid):
        try:
            call(0)
        except OSError:
            continue
        return call.__name__
    return os.geteuid() == 0


@attempt
def gains_by_a_setuid_program() -> object:
    told = subprocess.run(["/usr/bin/setuid-id", "-u"], capture_output=True, text=True, timeout=5, check=True)
    return told.stdout.strip() == "0"


@attempt
def mounts() -> object:
    return _checked(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None))


@attempt
def mounts_in_a_user_namespace() -> object:
    """A user namespace may be had; what counts is whether it leads to more than what the task had before."""
    _checked(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    _checked(LIBC.mount(b"/dev/vda", b"/tmp", b"ext4", 0, None))
    return os.listdir("/tmp")


@attempt
def unmounts_what_masks_proc() -> object:
    _checked(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    _checked(LIBC.umount2(b"/proc/keys", 2))
    return True


@attempt
def enters_a_namespace_of_the_worker() -> object:
    for pid in (1, *TARGETS["pids"]):
        for kind in ("mnt", "pid", "net", "user"):
            try:
                place = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
            except OSError:
                continue
            own = os.stat(f"/proc/self/ns/{kind}").st_ino
            if os.fstat(place).st_ino != own and LIBC.setns(place, 0) == 0:
                return f"{kind} of {pid}"
    return None


@attempt
def makes_a_device() -> object:
    os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0))
    return _read("/tmp/disk") or "made"


@attempt
def writes_to_cgroups() -> object:
    found = []
    for directory, _, names in os.walk("/sys/fs/cgroup"):
        found += [f"{directory}/{name}" for name in names if os.access(f"{directory}/{name}", os.W_OK)]
        if os.access(directory, os.W_OK):
            try:
                os.mkdir(f"{directory}/hostile")
                found.append(directory)
            except OSError:
                continue
    return found


@attempt
def writes_to_kernel_settings() -> object:
    places = (
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/proc/sys/vm/swappiness",
    )
    return [place for place in places if _writes(place)]


def _writes(place: str) -> bool:
    try:
        os.close(os.open(place, os.O_WRONLY))
    except OSError:
        return False
    return True


@attempt
def writes_below_the_root() -> object:
    return [
        place for place in ("/etc/passwd", "/bin/busybox", "/etc/ld.so.preload", "/usr/bin/python3") if _writes(place)
    ]


@attempt
def loads_a_module() -> object:
    return _checked(LIBC.syscall(175, b"x", 1, b""))  # init_module


@attempt
def loads_a_kernel_program() -> object:
    instructions = struct.pack("<QQ", 0xB7, 0x95)  # r0 = 0; exit
    buffer = ctypes.create_string_buffer(instructions)
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQ", 2, 2, ctypes.addressof(buffer), ctypes.addressof(licence)) + bytes(96)
    return _checked(LIBC.syscall(321, 5, attributes, len(attributes)))  # BPF_PROG_LOAD of a kprobe


@attempt
def has_a_raw_socket() -> object:
    for family, kind, protocol in (
        (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        (socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    ):
        try:
            socket.socket(family, kind, protocol).close()
        except OSError:
            continue
        return family.name
    return None


@attempt
def finds_a_key_that_an_earlier_job_left() -> object:
    rings = (-1, -3, -4, -5)  # the thread's, the session's, the user's, the user's session's
    with open("/proc/keys") as file:
        known = [line for line in file if KEY in line]
    return known or [ring for ring in rings if LIBC.syscall(KEYCTL, KEYCTL_SEARCH, ring, b"user", KEY.encode(), 0) > 0]


@attempt
def changes_the_clock_or_the_name() -> object:
    return LIBC.sethostname(b"owned", 5) == 0 or LIBC.syscall(164, struct.pack("<QQ", 0, 0), None) == 0  # settimeofday


@attempt
def reboots() -> object:
    return LIBC.syscall(169, 0xFEE1DEAD, 672274793, 0, None) == 0  # RB_DISABLE_CAD, harmless


@attempt
def gets_priority_over_others() -> object:
    os.nice(-10)
    return os.nice(0) < 0


if __name__ == "__main__":
    sys.exit(main())
