"""What this machine lacks for the course, and the command that supplies it (`course doctor`).

Nothing but the standard library is imported at the top, so that the doctor also runs where the installation
failed: `python3 -m course_utils.doctor` in the course's folder.
"""

from __future__ import annotations  # lets a Python that is too old read this file and be told so

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)
GIB = 2**30


class Finding(NamedTuple):
    """One line of the report; status is "ok", "missing" (a student needs it) or "optional"."""

    status: str
    name: str
    detail: str
    fix: str = ""


def diagnose(root: Path = ROOT) -> list[Finding]:
    """Look at everything the course uses. Returns findings in the order in which they are to be mended."""
    return [
        python(),
        *packages(root),
        kernel(),
        torch(),
        browser(),
        *sandbox(),
        disk(root),
        memory(),
    ]


# ---- what a student needs


def python(version=sys.version_info[:3]) -> Finding:
    """The interpreter's version against the oldest one that the course supports."""
    have, need = ".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON))
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return Finding("ok", "Python", f"{have} ({sys.executable})")
    return Finding(
        "missing",
        "Python",
        f"{have} is too old, the course needs {need} or newer",
        f"install a newer Python, then: rm -rf .venv && make lab PYTHON=python{need}",
    )


def packages(root: Path) -> list[Finding]:
    """Installed versions against the pins: pyproject's are needed, what those pull in may differ."""
    direct = direct_pins(root)
    lock = read_pins((root / "requirements.lock").read_text(encoding="utf-8"))
    wrong = {"missing": [], "optional": []}
    for name, pin in {**lock, **direct}.items():
        have = installed(name)
        if have != pin:
            wrong["missing" if name in direct else "optional"].append(f"{name} {pin} (here {have or 'none'})")
    fix = f'"{sys.executable}" -m pip install -r requirements.lock' if own_environment() else "make lab"
    findings = [Finding(status, "packages", shorten(names), fix) for status, names in wrong.items() if names]
    return findings or [Finding("ok", "packages", f"all {len(lock)} are installed as pinned")]


def kernel() -> Finding:
    """The kernel that notebooks ask for, `python3`, must be run by this very interpreter."""
    fix = f'"{sys.executable}" -m ipykernel install --sys-prefix'
    try:
        from jupyter_client.kernelspec import NoSuchKernel
        from jupyter_client.manager import KernelManager
    except ImportError:
        return Finding("missing", "kernel", "jupyter_client is not installed, so no kernel can be found", "make lab")
    try:
        program = KernelManager(kernel_name="python3").format_kernel_cmd()[0]
    except NoSuchKernel:
        return Finding("missing", "kernel", "there is no kernel named python3", fix)
    if Path(program).absolute() == Path(sys.executable).absolute():
        return Finding("ok", "kernel", "notebooks run in this Python")
    return Finding("missing", "kernel", f"the kernel python3 runs {program}, not {sys.executable}", fix)


# ---- information, and what only some people need


def torch() -> Finding:
    """Which build of torch this is. The course needs no GPU."""
    try:
        import torch
    except ImportError as error:
        return Finding("missing", "torch", f"cannot be imported: {error}", "make lab")
    if not torch.cuda.is_available():
        return Finding("ok", "torch", f"{torch.__version__} on the CPU, which is all the course needs")
    return Finding("ok", "torch", f"{torch.__version__} with CUDA; the course runs on the CPU all the same")


def chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ]
    return next(filter(None, map(shutil.which, names)), None)


def browser() -> Finding:
    """Chromium drives the browser test; a student uses whatever browser there is."""
    path = chromium()
    if path:
        return Finding("ok", "chromium", path)
    fix = "brew install --cask chromium" if sys.platform == "darwin" else "sudo apt install chromium"
    return Finding("optional", "chromium", "not found; only `make test` needs it, for the browser test", fix)


def sandbox() -> list[Finding]:
    """bubblewrap, and the user namespaces that it lives by. Only an instructor who grades needs them."""
    if not sys.platform.startswith("linux"):
        return [
            Finding(
                "optional",
                "bubblewrap",
                "there is none outside Linux; only grading needs it",
                "grade on a Linux machine",
            )
        ]
    bwrap = shutil.which("bwrap")
    if not bwrap:
        return [
            Finding(
                "optional",
                "bubblewrap",
                "not found; only an instructor needs it, for grading",
                "sudo apt install bubblewrap   (Fedora: sudo dnf install bubblewrap)",
            ),
            namespaces(""),
        ]
    return [Finding("ok", "bubblewrap", bwrap), namespaces(complaint(bwrap))]


def namespaces(trouble: str | None) -> Finding:
    """Whether an ordinary user may make user namespaces.

    `trouble` is what a trial run of bubblewrap complained of: None says that it worked, "" that there was no
    trial. Root is allowed what others are not, so the kernel's settings are read even if root's trial worked.
    """
    if trouble is None and os.geteuid() != 0:
        return Finding("ok", "user namespaces", "bubblewrap makes a sandbox here")
    for setting, forbids, remedy in NAMESPACE_SETTINGS:
        value = sysctl(setting)
        if value == forbids:
            return Finding(
                "optional", "user namespaces", f"forbidden by {setting} = {value}; only grading needs them", remedy
            )
    if trouble:
        return Finding(
            "optional",
            "user namespaces",
            f"bubblewrap fails ({trouble}); only grading needs it",
            "in a container: allow it user namespaces (Docker: --security-opt seccomp=unconfined)",
        )
    return Finding("ok", "user namespaces", "the kernel's settings allow them to everybody")


NAMESPACE_SETTINGS = [
    ("user.max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    # a switch of Debian's own kernels
    ("kernel.unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    # Ubuntu, since 24.04: only programs whose AppArmor profile says so may make them
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        "1",
        "give bubblewrap a profile:  printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\n"
        "profile bwrap /usr/bin/bwrap flags=(unconfined) {\\n  userns,\\n}\\n' | sudo tee /etc/apparmor.d/bwrap"
        "  &&  sudo systemctl reload apparmor",
    ),
]


def disk(root: Path) -> Finding:
    """Free space where the course lies. The packages take most of it, so before they are there more is needed."""
    free, need = shutil.disk_usage(root).free / GIB, 0.5 if installed("torch") else 4
    if free >= need:
        return Finding("ok", "disk", f"{free:.1f} GiB free")
    return Finding("missing", "disk", f"{free:.1f} GiB free, {need} GiB needed", "free some space")


def memory(total: int | None = None) -> Finding:
    """Main memory: lectures are made for 4 GB, of which a machine shows a little less."""
    if total is None:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total >= 3.5 * GIB:
        return Finding("ok", "memory", f"{total / GIB:.1f} GiB")
    return Finding(
        "optional",
        "memory",
        f"{total / GIB:.1f} GiB; the larger worlds of the lectures want 4",
        "close other programs; keep one notebook open at a time",
    )


# ---- how it is found out


def direct_pins(root: Path) -> dict[str, str]:
    """The pins in pyproject.toml, name -> version."""
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return read_pins("\n".join(project["dependencies"]))


def read_pins(text: str) -> dict[str, str]:
    """The `name==version` lines of a requirements file, names as in PEP 503 (lower case, one hyphen)."""
    pins = re.findall(r"^([\w.-]+)==(\S+)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def shorten(names: list[str], most: int = 6) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def installed(name: str) -> str | None:
    """The installed version without a local suffix such as `+cpu`; None where the package is absent."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def own_environment() -> bool:
    """Whether this Python is a virtual or conda environment, into which one may install."""
    return sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ


def sysctl(name: str) -> str | None:
    """A kernel setting's value; None where this kernel has no such setting."""
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return None


def complaint(bwrap: str) -> str | None:
    """Run `true` in a sandbox: None if that works, else the first line of what bubblewrap says."""
    command = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "true"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if run.returncode == 0 else (run.stderr.strip().splitlines() or ["no message"])[0]


def main() -> int:
    """Print the report; 0 if a student has all that is needed, else 1."""
    if tuple(sys.version_info[:2]) < OLDEST_PYTHON:  # the rest needs what only a newer Python brings
        findings = [python()]
    else:
        findings = diagnose()
    for status, name, detail, fix in findings:
        print(f"{status:<10}{name:<18}{detail}" + (f"\n{'':<28}→ {fix}" if fix else ""))
    missing = sum(finding.status == "missing" for finding in findings)
    print("\nAll that a student needs is here." if not missing else f"\n{missing} missing: see the arrows above.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
