"""Inside the box: a preloaded process that forks a child for each submission, and what the child does.

The first process imports what notebooks import, so that nobody pays for it twice, and never runs a student's code. A
child drops into namespaces, a user and limits of its own, and then runs the notebook's cells and serves calls of its
functions. From there on it belongs to the student: nothing that it says is trusted, and it holds nothing worth having.

Started by box.py as a script. This file and its neighbours in the box, wire.py and calling.py, import nothing of the
course.
"""

from __future__ import annotations

import builtins
import ctypes
import gc
import json
import os
import resource
import signal
import socket
import sys
import types
from contextlib import contextmanager
from importlib import import_module

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_RDONLY, MS_REC, MS_PRIVATE = 2, 4, 8, 1, 0x4000, 0x40000
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 24, 47, 4
libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


# ---- the first process


def main(settings: dict) -> None:
    control = socket.socket(fileno=settings["control"])
    hide_the_course()
    for name in ["calling", "wire", *settings["preload"]]:
        try:
            import_module(name)
        except Exception:  # then a notebook that wants it will say so
            pass
    shell = make_shell()
    home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if settings["confined"] else None
    gc.collect()
    gc.freeze()  # a child that touches no old object copies no old page
    control.sendall(b"ready\n")
    child = None
    while True:
        order, fds, _, _ = socket.recv_fds(control, 64, 1)
        if child is not None:  # whatever the order, the one before is over
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            child = None
        if not order:
            return
        if fds:
            if settings["confined"]:
                must(libc.setns(home, NEWPID), "setns")
                must(libc.unshare(NEWPID), "unshare")
            child = os.fork()
            if child == 0:
                try:
                    control.close()
                    live(socket.socket(fileno=fds[0]), shell, settings)
                finally:
                    os._exit(0)
            os.close(fds[0])
        control.sendall(b"done\n")


# ---- the child


def live(line, shell, settings):
    """Be one submission: drop everything that is not its, then serve the grader until it hangs up."""
    sys.stdin.close()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    keep = line.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
    sys.stdin = open(os.devnull)
    limit(settings)
    if settings["confined"]:
        confine(settings["uid"])
    os.chdir("/tmp")
    line.sendall(b"\0")  # our process, named by the kernel
    serve(line, shell)


def limit(settings):
    """Limits that a process cannot raise again."""
    for name, value in settings["limits"].items():
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def confine(uid):
    """Namespaces, a private /tmp, no /proc, a user who is nobody, no capabilities, and no way to get any."""
    must(libc.unshare(NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWNET), "unshare")
    must(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    for place, options, flags in (
        (b"/tmp", b"size=64m,nr_inodes=10000,mode=1777", 0),
        (b"/dev/shm", b"size=64m,nr_inodes=1000,mode=1777", MS_NOEXEC),
        (b"/proc", b"size=4k,nr_inodes=2,mode=555", MS_NOEXEC | MS_RDONLY),
    ):
        must(libc.mount(b"tmpfs", place, b"tmpfs", MS_NOSUID | MS_NODEV | flags, options), "mount")
    capability = 0
    while libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    must(libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()), "capset")
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def serve(sock, shell):
    """Run cells and answer calls until the grader hangs up."""
    from calling import call  # imported before: there is nothing left to read here
    from wire import Closed, Line

    def read(n):
        parts = []
        while n:
            part = sock.recv(min(n, 1 << 20))
            if not part:
                raise Closed
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    line = Line(read, sock.sendall)
    while True:
        try:
            header, values = line.next()
        except Closed:
            return
        if header["do"] == "cell":
            line.send("ran", error=run_cell(shell, header["source"]), to=header["to"])
        elif header["do"] == "find":
            line.send("found", **find(shell.user_ns, header["names"]), to=header["to"])
        elif header["do"] == "answer":
            line.forget()
            called = call(shell.user_ns.get(header["name"]), values)
            error = called.error and [called.error.kind, called.error.text, called.error.where, called.error.line]
            said = {"error": error, "printed": called.printed, "changed": list(called.changed), "to": header["to"]}
            try:
                line.send("answered", {"value": called.value}, **said)
            except Exception as failure:  # too large, too deep, or it fights being looked at
                said["error"] = [type(failure).__name__, f"what was returned cannot be sent: {failure}"[:300], "", ""]
                line.send("answered", {"value": None}, **said)
        elif header["do"] == "call":
            line.serve(header, values)


def run_cell(shell, source):
    """Run a cell as a notebook does, and return the text of the error that ended it, or None."""
    result = shell.run_cell(source, store_history=False, silent=True)
    error = result.error_before_exec or result.error_in_exec
    return None if error is None else f"{type(error).__name__}: {error}"[:300]


def find(namespace, names):
    """The first of the names that is bound to something callable, and what its arguments are called."""
    import inspect

    for name in names:
        if callable(fn := namespace.get(name)):
            try:
                parameters = inspect.signature(fn).parameters.values()
            except (ValueError, TypeError):
                return {"name": name, "parameters": None}
            return {"name": name, "parameters": [[p.name, int(p.kind), p.default is not p.empty] for p in parameters]}
    return {"name": None, "parameters": None}


# ---- the notebook's surroundings


def make_shell():
    """IPython without history, colours and display: magics, plots and widgets run, and nobody draws them."""
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell

    HistoryManager.enabled = False
    shell = InteractiveShell.instance(colors="nocolor")
    shell.display_formatter.format = lambda *args, **keywords: ({}, {})
    shell.showtraceback = shell.showsyntaxerror = lambda *args, **keywords: None
    shell.ask_exit = lambda: None
    shell.run_cell("pass", store_history=False, silent=True)  # loads the rest of what running a cell needs
    builtins.exit = builtins.quit = shell.user_ns["exit"] = shell.user_ns["quit"] = sys.exit
    return shell


class Absent(types.ModuleType):
    """A module of the course. It can be imported, since our own cells do, but nothing in it works."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*args, **keywords):
            raise NameError(f"{self.__name__}.{name} is not there at grading: answers are written, not imported")

        return missing


class Finder:
    """Finds every module of the course, and gives an absent one."""

    def find_spec(self, name, path=None, target=None):
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] in ("course_utils", "instructor") else None

    def create_module(self, spec):
        module = Absent(spec.name)
        if spec.name == "course_utils.checks":
            module.check, module.unfinished_ok = check, unfinished_ok
        return module

    def exec_module(self, module):
        pass


def check(*args, **keywords):
    """The grader asks for itself."""


@contextmanager
def unfinished_ok():
    try:
        yield
    except NotImplementedError:
        pass


def hide_the_course():
    sys.meta_path.insert(0, Finder())


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    sys.path[:0] = settings["path"]
    main(settings)
