"""`course doctor`: each thing that can be missing is found missing, and comes with a command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_utils import doctor

GIB = 2**30
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def pinned(tmp_path, monkeypatch):
    """A course that pins one package, which needs another; and the dictionary of what is installed."""
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["numpy==2.0"]\n')
    (tmp_path / "requirements.lock").write_text("# made up\nnumpy==2.0\nSome_Thing==1.5\n")
    have = {"numpy": "2.0", "some-thing": "1.5"}
    monkeypatch.setattr(doctor, "installed", have.get)
    return tmp_path, have


def test_nothing_is_missing_where_the_tests_run(capsys):
    assert doctor.main() == 0
    report = capsys.readouterr().out
    assert "missing" not in report and report.endswith("All that a student needs is here.\n")


def test_a_missing_package_makes_the_exit_code_1(monkeypatch, capsys):
    here = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: None if name == "ipywidgets" else here(name))
    assert doctor.main() == 1
    report = capsys.readouterr().out
    assert "missing   packages" in report and "ipywidgets" in report and "pip install" in report


@pytest.mark.parametrize(
    ("version", "status"), [((3, 10, 14), "missing"), ((3, 11, 0), "ok"), ((3, 14, 2), "ok"), ((4, 0, 0), "ok")]
)
def test_python(version, status):
    finding = doctor.python(version)
    assert finding.status == status
    assert bool(finding.fix) == (status != "ok")


def test_an_old_python_is_told_so_before_anything_else_is_tried(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    monkeypatch.setattr(doctor, "diagnose", lambda: pytest.fail("looked further"))
    assert doctor.main() == 1
    assert "too old" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "version", "status"),
    [
        ("numpy", None, "missing"),
        ("numpy", "1.9", "missing"),
        ("some-thing", None, "optional"),
        ("some-thing", "1.6", "optional"),
    ],
)
def test_packages(pinned, name, version, status):
    root, have = pinned
    assert doctor.packages(root) == [("ok", "packages", "all 2 are installed as pinned", "")]
    have[name] = version
    (finding,) = doctor.packages(root)
    assert finding.status == status and finding.fix
    assert name in finding.detail and f"(here {version or 'none'})" in finding.detail


def test_outside_an_environment_nothing_is_to_be_installed(pinned, monkeypatch):
    root, have = pinned
    have["numpy"] = None
    monkeypatch.setattr(doctor, "own_environment", lambda: False)
    assert doctor.packages(root)[0].fix == "make lab"


def test_a_local_suffix_is_no_difference():
    assert doctor.installed("torch") == doctor.direct_pins(ROOT)["torch"]
    assert doctor.installed("no-such-package") is None


def test_kernel(monkeypatch):
    assert doctor.kernel().status == "ok"
    monkeypatch.setattr(sys, "executable", "/somewhere/else/python")
    from jupyter_client.manager import KernelManager

    monkeypatch.setattr(KernelManager, "format_kernel_cmd", lambda self: ["/usr/bin/python3", "-m", "ipykernel"])
    finding = doctor.kernel()
    assert finding.status == "missing" and "/usr/bin/python3" in finding.detail and "ipykernel install" in finding.fix


def test_no_kernel(monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert doctor.kernel().status == "missing"


def test_no_jupyter_at_all(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyter_client.kernelspec", None)
    assert doctor.kernel().status == "missing"


def test_torch(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "CUDA" in doctor.torch().detail
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.torch().status == "ok" and "CPU" in doctor.torch().detail
    monkeypatch.setitem(sys.modules, "torch", None)
    assert doctor.torch().status == "missing"


def test_the_browser_is_needed_by_the_tests_only(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/opt/" + name if name == "google-chrome" else None)
    assert doctor.browser() == ("ok", "chromium", "/opt/google-chrome", "")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert doctor.browser().status == "optional" and "install" in doctor.browser().fix


def test_no_bubblewrap(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert doctor.sandbox()[0].status == "optional" and "bubblewrap" in doctor.sandbox()[0].fix
    monkeypatch.setattr(sys, "platform", "darwin")
    assert [finding.status for finding in doctor.sandbox()] == ["optional"]


FORBIDDING = {
    "user.max_user_namespaces": "0",
    "kernel.unprivileged_userns_clone": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
ALLOWING = {
    "user.max_user_namespaces": "96365",
    "kernel.unprivileged_userns_clone": "1",
    "kernel.apparmor_restrict_unprivileged_userns": "0",
}


@pytest.mark.parametrize("setting", FORBIDDING)
@pytest.mark.parametrize("trouble", [None, "", "setting up uid map: Permission denied"])
def test_a_setting_that_forbids_namespaces_is_named(monkeypatch, setting, trouble):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(doctor, "sysctl", {**ALLOWING, setting: FORBIDDING[setting]}.get)
    finding = doctor.namespaces(trouble)
    assert finding.status == "optional" and setting in finding.detail
    assert "sysctl" in finding.fix or "apparmor" in finding.fix


@pytest.mark.parametrize("settings", [ALLOWING, {}])
def test_namespaces_that_no_setting_forbids(monkeypatch, settings):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor, "sysctl", settings.get)
    assert doctor.namespaces(None).status == "ok"
    assert doctor.namespaces("").status == "ok"
    finding = doctor.namespaces("No permissions to create new namespace")
    assert finding.status == "optional" and "No permissions" in finding.detail and "seccomp" in finding.fix


def test_a_sandbox_that_works_for_a_user_outweighs_the_settings(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor, "sysctl", FORBIDDING.get)  # as on Ubuntu with a profile for bubblewrap
    assert doctor.namespaces(None).status == "ok"


def test_the_profile_is_what_apparmor_reads():
    command = doctor.NAMESPACE_SETTINGS[-1][-1].partition("printf ")[2].partition(" |")[0]
    text = subprocess.run(["sh", "-c", f"printf {command}"], capture_output=True, text=True, check=True).stdout
    assert text.splitlines() == [
        "abi <abi/4.0>,",
        "include <tunables/global>",
        "profile bwrap /usr/bin/bwrap flags=(unconfined) {",
        "  userns,",
        "}",
    ]


def test_complaint(tmp_path):
    failing = tmp_path / "bwrap"
    failing.write_text("#!/bin/sh\necho 'bwrap: no' >&2\nexit 1\n")
    failing.chmod(0o755)
    assert doctor.complaint(str(failing)) == "bwrap: no"
    failing.write_text("#!/bin/sh\nexit 0\n")
    assert doctor.complaint(str(failing)) is None
    assert "No such file" in doctor.complaint(str(tmp_path / "absent"))


def test_sysctl():
    assert doctor.sysctl("no.such.setting") is None
    if sys.platform.startswith("linux"):
        assert doctor.sysctl("kernel.ostype") == "Linux"


@pytest.mark.parametrize(
    ("free", "torch", "status"),
    [(3.9, None, "missing"), (4.1, None, "ok"), (0.4, "2.0", "missing"), (0.6, "2.0", "ok")],
)
def test_disk(monkeypatch, free, torch, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free * GIB))
    monkeypatch.setattr(doctor, "installed", {"torch": torch}.get)
    assert doctor.disk(ROOT).status == status


def test_memory():
    assert doctor.memory(2 * GIB).status == "optional"
    assert doctor.memory(4 * GIB).status == "ok"
    assert doctor.memory().status in ("ok", "optional")


def test_it_runs_on_a_bare_python():
    """Before anything is installed: no package of the course's is imported to say what is missing."""
    run = subprocess.run([sys.executable, "-S", "-m", "course_utils.doctor"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and not run.stderr
    assert "make lab" in run.stdout or "pip install" in run.stdout
