"""pyproject.toml, requirements.lock and environment.yml name one set of versions, and it is the one installed."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK_TEXT = (ROOT / "requirements.lock").read_text()
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
NOT_LOCKED = re.compile("triton|cuda|nvidia")  # what torch's CUDA builds want besides


def pins(lines) -> dict[str, str]:
    """name -> version, from lines each of which must be `name==version`, without a local suffix or anything else."""
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9A-Za-z.]*)", line)
        assert match, f"expected name==version, got {line!r}"
        name = canonicalize_name(match[1])
        assert name not in found, f"{name} is pinned twice"
        found[name] = match[2]
    return found


DIRECT = pins(PROJECT["dependencies"])
LOCK = pins(line for line in LOCK_TEXT.splitlines() if line.strip() and not line.startswith("#"))


@pytest.mark.parametrize("line", ["torch==2.13.0+cpu", "numpy>=2", "numpy", "numpy==2.*", "numpy==2; os_name>'a'"])
def test_only_exact_pins_are_read(line):
    with pytest.raises(AssertionError):
        pins([line])


def test_the_lock_has_every_direct_pin():
    assert DIRECT.items() <= LOCK.items()


def test_conda_installs_the_direct_pins_torch_first():
    (section,) = (entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))
    assert section[-1] == "-e ."
    assert section[0].startswith("torch==")
    assert pins(section[:-1]) == DIRECT


def test_one_oldest_python():
    from course_utils.doctor import OLDEST_PYTHON

    oldest = ".".join(map(str, OLDEST_PYTHON))
    assert PROJECT["requires-python"] == f">={oldest}"
    assert f"python={oldest}" in CONDA["dependencies"]
    assert f"({oldest.replace('.', ', ')})" in (ROOT / "Makefile").read_text()


def test_no_index_is_named():
    for name in ("pyproject.toml", "requirements.lock", "environment.yml", "Makefile"):
        text = (ROOT / name).read_text()
        assert "://" not in text and "index-url=" not in text, name


def test_the_lock_is_closed():
    """Whatever a locked package needs on this machine is locked too."""
    for name in LOCK:
        for text in metadata.requires(name) or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                need_name = canonicalize_name(need.name)
                assert need_name in LOCK or NOT_LOCKED.match(need_name), f"{name} needs {need_name}"


def test_the_lock_holds_nothing_that_only_one_machine_has():
    assert not [name for name in LOCK if NOT_LOCKED.match(name) or name in ("pip", "irl-course")]


def test_installed_as_locked():
    assert {name: metadata.version(name).partition("+")[0] for name in LOCK} == LOCK
