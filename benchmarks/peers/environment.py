"""A peer's own environment, and what a command costs with all the processes that it starts."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
import venv
from dataclasses import dataclass
from pathlib import Path

import psutil

from course_utils.studies import ROOT

PR_SET_CHILD_SUBREAPER = 36
GRACE = 2.0  # seconds for what a command leaves behind to end by itself
V1, V2 = Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup")  # where Linux keeps its control groups


def python_of(name, *installs):
    """The interpreter of a peer's environment under .course/peers, made first if it is not there.

    installs: for each call of pip, what it is to install.
    """
    folder = ROOT / ".course" / "peers" / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").is_file():
        print(f"setting up the environment of {name}: once, a few minutes", flush=True)
        venv.create(folder, with_pip=True)
        for what in installs:
            command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
            subprocess.run(command, check=True)
        (folder / "ready").touch()
    return python


def activated(python) -> dict:
    """The variables of this process, as they are where an environment is activated."""
    return os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class Cost:
    """What a command took: its exit code (None if it was stopped), seconds, what it said, how many processes it left
    behind, and what `watch` saw of its processes every second."""

    code: int | None
    cpu: float
    wall: float
    said: str
    left: int
    seen: tuple = ()


class Account:
    """The processor time of a command and of all its descendants, those included that nobody waits for.

    A control group counts all of it. Where none can be made, the system's account of children is used, which misses
    processes that end together with their sandbox: `how` says which it is.
    """

    def __init__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become our children
        self.group = (V1 if V1.is_dir() else V2) / f"benchmark-{os.getpid()}"
        try:
            self.group.mkdir(exist_ok=True)
            self.used()
            self.how = "control group"
        except (OSError, StopIteration):
            self.group, self.how = None, "children waited for"

    def used(self) -> float:
        if self.group is None:
            spent = resource.getrusage(resource.RUSAGE_CHILDREN)
            return spent.ru_utime + spent.ru_stime
        if V1.is_dir():
            return int((self.group / "cpuacct.usage").read_text()) / 1e9
        lines = (self.group / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec")) / 1e6

    def command(self, command) -> list:
        """The command, starting as a member of the group."""
        enter = f'echo $$ > {self.group}/cgroup.procs; exec "$@"' if self.group else 'exec "$@"'
        return ["/bin/sh", "-c", enter, "sh", *command]

    def members(self) -> list:
        if self.group:
            return [int(pid) for pid in (self.group / "cgroup.procs").read_text().split()]
        return [child.pid for child in psutil.Process().children(recursive=True)]

    def close(self):
        with contextlib.suppress(OSError):
            self.group and self.group.rmdir()


def measured(command, limit, watch=None, **keywords) -> Cost:
    """Run a command to its end, or for `limit` seconds on the clock. Ends what it leaves behind.

    watch(pids) is called every second with the processes that there are.
    """
    account = Account()
    before, start, code, seen, over = account.used(), time.monotonic(), None, [], threading.Event()

    def look():
        while not over.wait(1.0):
            with contextlib.suppress(psutil.Error):
                seen.append(watch(account.members()))

    watcher = threading.Thread(target=look)
    if watch:
        watcher.start()
    command = account.command(map(str, command))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **keywords) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            said, _ = process.communicate(timeout=limit)
            code = process.returncode
        wall = time.monotonic() - start
        over.set()
        patience = time.monotonic() + GRACE
        while (left := account.members()) and time.monotonic() < patience and code is not None:
            time.sleep(0.05)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if code is None:
            said, _ = process.communicate()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    cpu = account.used() - before
    account.close()
    return Cost(code, cpu, wall, said, len(left) - (code is None), tuple(seen))
