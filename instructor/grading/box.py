"""The trusted side of the box: bubblewrap around a preloaded process, and a session with a child of it.

A Box is one sandbox; a Session is one submission in it, in a process that has namespaces, a user and limits of its own
and dies with the session. Time is processor time, so a busy machine costs nobody marks; who sleeps is stopped after a
while of sleeping, and who fights is killed from outside.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from instructor.grading.wire import Closed, Line

HERE = Path(__file__).parent
GUEST = {"guest.py": HERE / "guest.py", "wire.py": HERE / "wire.py"}
GUEST["calling.py"] = HERE.parents[1] / "course_utils" / "checks" / "calling.py"
MIB = 2**20
TICK = 0.2  # seconds between two looks at a process that lets us wait
CLOCK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
FIRST_UID = 2_000_000_000  # above it, uids belong to nobody


class NoBox(Exception):
    """There is no sandbox on this machine; the message says what to do."""


class BoxFailed(Exception):
    """The sandbox broke, through no fault of the submission: grade it again."""


class TooSlow(Exception):
    """It used up its time."""


class TooLarge(Exception):
    """Its processes hold more memory than they may."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Seconds are of processor time, unless they say otherwise.

    cell       for one cell of the notebook; a question has its own (Question.seconds)
    asleep     seconds on the clock in which nothing of it runs, though it is its turn
    patience   seconds on the clock for each second of processor time: for a machine that is very busy
    memory     MiB that its processes may hold together, and address space of each
    calls      back to the grader, for a question
    """

    cell: float = 20.0
    asleep: float = 20.0
    patience: float = 40.0
    memory: int = 2048
    address_space: int = 6144
    processes: int = 64
    calls: int = 50_000

    def of_the_system(self) -> dict:
        """What the kernel enforces by itself, by the resource module's names."""
        return {
            "RLIMIT_AS": self.address_space * MIB,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_FSIZE": 64 * MIB,
            "RLIMIT_NOFILE": 256,
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": 3600,
        }


class Box:
    """One sandbox with a preloaded process in it: `with box.session() as session`, one session at a time.

    Raises NoBox if there can be none. `unboxed` runs the same without a sandbox: every answer can then read and
    write what the instructor can.
    """

    def __init__(self, preload=(), limits: Limits | None = None, unboxed=False):
        self.limits = limits = limits or Limits()
        settings = {
            "preload": list(preload),
            "confined": not unboxed,
            "uid": FIRST_UID + os.getpid() if os.geteuid() == 0 else None,
            "limits": limits.of_the_system() | ({"RLIMIT_NPROC": 4096} if unboxed else {}),
            "path": [str(GUEST["wire.py"].parent), str(GUEST["calling.py"].parent)] if unboxed else [INSIDE],
        }
        command = [sys.executable, "-I", str(GUEST["guest.py"])] if unboxed else bubblewrap_command()
        self.unboxed = unboxed
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            settings["control"] = theirs.fileno()
            self.process = subprocess.Popen(
                [*command, json.dumps(settings)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
            )
        self.control.settimeout(120)
        if self.hear() != b"ready\n":
            raise NoBox(f"the sandbox does not start: {self.last_words()}. {HELP}")

    def hear(self) -> bytes:
        with suppress(OSError):
            return self.control.recv(64)
        return b""

    def order(self, fds=()) -> None:
        """End the session before, and begin one on a descriptor, if one is given."""
        try:
            socket.send_fds(self.control, [b"order"], list(fds))
        except OSError:
            raise BoxFailed("the sandbox is gone") from None
        if self.hear() != b"done\n":
            raise BoxFailed(f"the sandbox does not answer: {self.last_words()}")

    def last_words(self) -> str:
        """Close it, and say what it complained of."""
        self.process.kill()
        said = self.process.stderr.read(4000).decode(errors="replace").strip().splitlines()
        self.close()
        return said[-1] if said else "no reason given"

    def session(self) -> Session:
        return Session(self)

    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """Kill it and everything in it."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


class Session:
    """One submission in the box, from fork to kill. `line` talks to it (see wire.Line)."""

    def __init__(self, box: Box):
        self.box, self.limits = box, box.limits
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(TICK)
        self.pid, self.line = None, Line(self.read, self.write)
        try:
            with theirs:
                box.order([theirs.fileno()])
            self.allow(60.0)
            self.pid = self.hello()
        except (Closed, TooSlow):
            self.sock.close()
            raise BoxFailed("no process starts in the sandbox") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        for pid in descendants(self.pid) if self.box.unboxed else ():  # in a box they die with the first
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(BoxFailed):  # then the next session says so
            self.box.order()

    def hello(self) -> int:
        """The process at the other end, as the kernel and not the process says."""
        while True:
            try:
                byte, extra, _, _ = self.sock.recvmsg(1, socket.CMSG_SPACE(12))
            except TimeoutError:
                self.watch()
                continue
            except OSError:
                raise Closed from None
            if not byte:
                raise Closed
            return struct.unpack("3i", extra[0][2])[0]

    def allow(self, seconds: float) -> None:
        """What follows may take this long; calls that it makes back here count, and are counted."""
        self.seconds, self.start, self.began = seconds, self.spent(), time.monotonic()
        self.line.spent, self.line.quota, self.looked = 0.0, self.limits.calls, self.began
        self.calm, self.calm_at = 0.0, -1.0

    def used(self) -> float:
        """Seconds of processor time since `allow`."""
        return self.spent() - self.start + self.line.spent

    def spent(self) -> float:
        """Seconds of processor time of its first process, and of the others that have ended."""
        return stat(self.pid).cpu if self.pid else 0.0

    def read(self, n: int) -> bytes:
        parts = []
        while n:
            self.look()
            try:
                part = self.sock.recv(min(n, MIB))
            except TimeoutError:
                continue
            except OSError:
                raise Closed from None
            if not part:
                raise Closed
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self.look()
            try:
                rest = rest[self.sock.send(rest) :]
            except TimeoutError:
                continue
            except OSError:
                raise Closed from None

    def look(self) -> None:
        """Watch now and then, also where the other side keeps us busy."""
        if self.line.spent > self.seconds:
            raise TooSlow
        if time.monotonic() - self.looked > TICK:
            self.watch()

    def watch(self) -> None:
        """Raise if its processes have used too much of something."""
        now = time.monotonic()
        since, self.looked = min(now - self.looked, 2 * TICK), now
        if now - self.began > self.seconds * self.limits.patience + self.limits.asleep:
            raise TooSlow
        if not self.pid:
            return
        family = [stat(self.pid), *map(stat, descendants(self.pid))]
        cpu = sum(process.cpu for process in family)
        if cpu - self.start + self.line.spent > self.seconds:
            raise TooSlow
        if sum(process.memory for process in family) > self.limits.memory * MIB:
            raise TooLarge
        runs = cpu > self.calm_at or any(process.state in "RD" for process in family)
        self.calm, self.calm_at = (0.0 if runs else self.calm + since), cpu
        if self.calm > self.limits.asleep:
            raise TooSlow


@dataclass(frozen=True)
class Stat:
    state: str = "X"
    cpu: float = 0.0
    memory: int = 0


def stat(pid: int) -> Stat:
    """State, processor time (its ended children's included) and resident memory of a process; nothing if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return Stat()
    return Stat(fields[0], sum(map(int, fields[11:15])) / CLOCK, int(fields[21]) * PAGE)


def descendants(pid: int) -> list:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


# ---- how it is started

HELP = "`course doctor` says what this machine lacks."
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "student",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",
    "IPYTHONDIR": "/tmp",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
} | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
INSIDE, PACKAGES = "/course/box", "/course/packages"  # where things are in the box


def bubblewrap_command() -> list:
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise NoBox(
            f"grading runs in a sandbox, and bubblewrap is not installed (Debian: apt install bubblewrap). {HELP}"
        )
    command = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    capabilities = ["CAP_SYS_ADMIN", "CAP_SETPCAP"]  # for the first process, which gives them up in its children
    if os.geteuid() == 0:
        capabilities += ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"]
    else:
        # As its own root, or bubblewrap would nest a second user namespace that may not make processes for the first.
        command += ["--unshare-user", "--uid", "0", "--gid", "0"]
    for name in capabilities:
        command += ["--cap-add", name]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/sbin", "/lib", "/lib64", "/lib32"):
        if os.path.islink(name):
            command += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            command += ["--ro-bind", name, name]
    for name in ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/alternatives"):
        command += ["--ro-bind-try", name, name]
    # Python where it is, and its virtual environment where no private /tmp can hide it.
    folders = {} if f"{sys.base_prefix}/".startswith("/usr/") else {sys.base_prefix: sys.base_prefix}
    if sys.prefix != sys.base_prefix:
        folders[sys.prefix] = PACKAGES
    inside = folders.get(sys.prefix, sys.prefix)
    # The folders on the way there belong to us, and are open only to whom they belong if nobody says otherwise.
    way = {str(parent) for place in (*folders.values(), f"{INSIDE}/") for parent in (Path(place) / "x").parents}
    for folder in sorted(way - {"/"}):
        command += ["--perms", "0755", "--dir", folder]
    for folder, place in folders.items():
        command += ["--ro-bind", folder, place]
    for library in {sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]}:
        for package in ("course_utils", "instructor"):  # where the course is installed and not just linked
            if os.path.isdir(os.path.join(library, package)):
                command += ["--tmpfs", os.path.join(inside, os.path.relpath(library, sys.prefix), package)]
    command += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    for name, path in GUEST.items():
        command += ["--ro-bind", str(path), f"{INSIDE}/{name}"]
    python = os.path.join(inside, os.path.relpath(sys.executable, sys.prefix))
    command += ["--remount-ro", "/", "--remount-ro", "/dev"]  # else a student who is our own user may leave files there
    return [*command, "--chdir", "/", python, "-I", f"{INSIDE}/guest.py"]
