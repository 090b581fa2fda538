# Two commands do all the set-up: `make demo` and `make test`. Both need Python >= 3.11 and make.
# `make test FRAMEWORKS=pytorch` installs and tests fewer frameworks; one that is named and fails, or is missing, fails the tests.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs
FRAMEWORKS ?= pytorch,tensorflow,keras,jax
# One more than the two cores of the smallest machine: tests wait for other processes and for disks.
WORKERS ?= 3
TESTED := $(VENV)/.test-installed-$(FRAMEWORKS)

# Tests start hundreds of processes: what the first one compiles, the others need not.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo-installed
	$(BIN)/allotrope fit digits --out $(RUNS)

test: lint types
	ALLOTROPE_TEST_FRAMEWORKS=$(FRAMEWORKS) $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

lint: $(TESTED)
	$(BIN)/ruff check .

types: $(TESTED)
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Allotrope needs Python >= 3.11; '$(PYTHON)' is not. Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[pytorch,openvino]'
	@touch $@

$(TESTED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$(FRAMEWORKS),openvino,dev]'
	@touch $@ $(VENV)/.demo-installed

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
