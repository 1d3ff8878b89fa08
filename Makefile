# `make` lists the verbs. The first one that needs it makes .venv, with the pinned packages in it.
#
#   PYTHON       the interpreter to make .venv from; to change it later, `make clean` first  (python3)
#   TORCH_INDEX  an extra package index to take torch from, for a CPU build                  (none)
#   LAB_ARGS     options for JupyterLab, for example --no-browser                            (none)
PYTHON ?= python3
TORCH_INDEX ?=
LAB_ARGS ?=

BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help lab doctor clean

help:           ## list the verbs
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

lab: $(READY)   ## open the course in JupyterLab
	$(BIN)/course lab $(LAB_ARGS)

doctor: $(READY) ## say what this machine lacks, and how to get it
	$(BIN)/course doctor

# What writers and instructors do besides; a student's copy of the course has no instructor/ and none of these verbs.
-include instructor/verbs.mk

clean:          ## remove .venv and everything that the tests left
	rm -rf .venv .venv-nbgrader build artifacts .pytest_cache .ruff_cache .hypothesis *.egg-info

# ---- the environment

INDEX = $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
OLD := import sys; sys.exit(sys.version_info < (3, 11))
TOO_OLD = The course needs Python 3.11 or newer, and "$(PYTHON)" is not. \
    Name another one: make lab PYTHON=python3.11
NO_VENV = "$(PYTHON)" lacks the modules venv and ensurepip. \
    On Debian and Ubuntu: sudo apt install python3-venv

# torch goes first and alone: an index given for it must not serve the other packages.
# The stamp goes before anything is installed and comes back last, so a failed install leaves none.
$(READY): requirements.lock pyproject.toml
	@rm -f $@
	@$(PYTHON) -c '$(OLD)' || { echo '$(TOO_OLD)' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo '$(NO_VENV)' >&2; exit 1; }
	@echo 'Setting up .venv: once, a few minutes.'
	$(PYTHON) -m venv .venv
	$(PIP) $(INDEX) --constraint requirements.lock "$$(grep '^torch==' requirements.lock)"
	$(PIP) --quiet --requirement requirements.lock
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@
