PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.py
WORKDIR ?= runs/demo

.PHONY: setup torch demo test quicktest longtest lint format

setup: $(VENV)/installed

# The stamp is written last: an interrupted set-up starts again.
$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

# Optional, see requirements-torch.txt.
torch: setup
	$(BIN)/python -m pip install --quiet --requirement requirements-torch.txt

demo: setup
	$(BIN)/python -m export.demo --config=$(CONFIG) --workdir=$(WORKDIR)

test: setup
	$(BIN)/python -m pytest -m "not minutes"

quicktest: setup
	$(BIN)/python -m pytest -m "not slow and not minutes"

longtest: setup
	$(BIN)/python -m pytest -m minutes

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
