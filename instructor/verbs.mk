# The verbs of those who write the course, teach it or test it: a part of the Makefile, absent from a student's copy.

NBGRADER := .venv-nbgrader/.ready
.PHONY: build check test bench release lock

build: $(READY) ## write notebooks/, assignments/ and solutions/ from authoring/
	$(BIN)/course build

check: $(READY) ## compare what is built with authoring/, and lint
	$(BIN)/course build --check
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# One worker runs a whole file, so a notebook keeps its kernel and the browser tests stay in a row.
test: check $(NBGRADER) ## run everything that CI runs
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-cell-timeout 120 \
	    tests notebooks solutions

release: $(READY) ## write the student's zip, and prove that no solution is in it
	$(BIN)/course release

bench: $(READY) ## measure the promises in numbers
	set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

# The freeze of a new environment that is made from pyproject.toml's pins with the oldest Python that we support,
# less what only one machine has: local suffixes (+cpu) and the CUDA packages of torch's Linux build.
lock:           ## write requirements.lock anew from pyproject.toml
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet $(INDEX) --editable .
	build/lock/bin/python -m pip freeze --all --exclude pip --exclude-editable > build/lock/freeze
	{ echo "# pyproject.toml's packages and all that those need, as they were installed together."; \
	  echo '# Written by: make lock'; \
	  sed 's/+[A-Za-z0-9.]*$$//' build/lock/freeze | grep -Ev '^(cuda|nvidia|triton)'; } > requirements.lock
	rm -rf build/lock

# nbgrader has an environment of its own: its server extension would change the students' JupyterLab.
$(NBGRADER): tests/nbgrader-requirements.txt | $(READY)
	@rm -f $@
	$(PYTHON) -m venv .venv-nbgrader
	.venv-nbgrader/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@
