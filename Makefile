PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUNNABLE := $(VENV)/.runnable
WORKERS ?= 2
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-all test-matrix docs lint format clean

help:  ## name the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNNABLE)  ## run every experiment in JAX and in PyTorch, and write the page of results
	$(BIN)/python -m experiments run

test: $(READY)  ## run every test: units, parity with PyTorch, doctests, architecture, experiments in short
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

test-fast: $(READY)  ## the same without the long sweeps
	$(BIN)/python -m pytest --numprocesses $(WORKERS) -m "not slow and not exhaustive"

test-all: test  ## `make test`, and after it what is too long for every day: whole databases, whole models, kills
	$(BIN)/python -m pytest --numprocesses $(WORKERS) -m exhaustive

test-matrix: $(READY)  ## the tests on Python 3.11 to 3.13, with the oldest and the newest JAX supported
	$(BIN)/nox

docs: $(READY)  ## the documentation as a site: site/index.html; warnings are errors
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q docs site

lint: $(READY)  ## style, format, types, and the import contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## let ruff format and repair
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove the environment and all caches
	rm -rf $(VENV) results site .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp is made last: an installation that was cut off is made again. What `make run` needs is a part of the rest.
$(READY): $(RUNNABLE)
	$(INSTALL) '.[dev]'
	@touch $(READY)

$(RUNNABLE): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing what the experiments need, PyTorch among it: a few minutes, once."
	$(INSTALL) '.[experiments,torch]'
	@touch $(RUNNABLE)
