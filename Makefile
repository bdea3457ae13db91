PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test test-fast lint format types benchmarks clean

run: $(READY)  ## run the experiments in JAX and in torch, and write the page of results
	$(BIN)/python -m experiments run

test: $(READY)  ## run every test: unit, parity with torch, doctests, architecture, quick experiments
	$(BIN)/python -m pytest

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
