# The newest that TensorFlow has wheels for; PYTHON= chooses another.
PYTHON ?= $(shell for v in 3.13 3.12 3.11; do python$$v -c "import ensurepip" 2> /dev/null && command -v python$$v && break; done)
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.py
WORKDIR ?= runs/demo
# Test files run at a time; each takes up to 4 GiB and a core.
JOBS ?= 2
ONE_CORE := TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
# Text in the locale's encoding is an error in our code (pyproject.toml), silent elsewhere.
WARN_ENCODING := PYTHONWARNDEFAULTENCODING=1 PYTHONWARNINGS=ignore::EncodingWarning

.PHONY: setup torch serving demo bench docs page wheel test quicktest lint format

setup: $(VENV)/installed

# The stamp is written last: an interrupted set-up starts again.
$(VENV)/installed: requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 is needed; make PYTHON=PATH names one"; exit 1; }
	@echo "$(VENV): $(PYTHON), $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

# Optional, see requirements-torch.txt.
torch: setup
	$(BIN)/python -m pip install --quiet --requirement requirements-torch.txt

# Optional, see requirements-serving.txt.
serving: setup
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-serving.txt

demo: setup
	$(BIN)/python -m export.demo --config=$(CONFIG) --workdir=$(WORKDIR)

bench: setup
	$(BIN)/python -m benchmarks.method_speed --output=runs/bench/method_speed.json

# The web page, by npm; a wheel that is built afterwards takes it along.
page: setup
	$(BIN)/python -c "from bas_tf.export.web import build; print(build.built_page())"

wheel: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

# The figures of docs/, and pages of the Python interface from its docstrings.
docs: setup
	$(BIN)/python -m docs.figures
	$(BIN)/pdoc --docformat google --output-directory runs/docs bas_tf.api.training \
	    bas_tf.api.model bas_tf.api.answers bas_tf.models.localizer bas_tf.losses bas_tf.inference \
	    bas_tf.evaluators.bas_protocol bas_tf.names

test: setup
	$(ONE_CORE) $(WARN_ENCODING) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=40

quicktest: setup
	$(ONE_CORE) $(WARN_ENCODING) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
