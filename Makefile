# The verbs for people; CI calls the same ones. `make` alone lists them.
PYTHON ?= python3
PLAN ?= doorbuster
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.PHONY: help rehearse test check bench soak lock clean

help: ## List the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

rehearse: $(VENV)/.run ## Rehearse a sale on the embedded stack (PLAN=a ready plan or a file)
	$(BIN)/doorbuster rehearse $(PLAN)

test: $(VENV)/.dev ## Run all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.dev ## Format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Run the benchmarks and write benchmarks/results/
	$(BIN)/python -m benchmarks

soak: $(VENV)/.dev ## Random faults from 100 seeds on one stack (SEEDS=how many), and kills amid faults (KILLS=of each)
	DOORBUSTER_KILLS=$(KILLS) $(BIN)/python -m pytest tests/fault/test_director_killed_in_faults.py
	DOORBUSTER_SEEDS=$(SEEDS) DOORBUSTER_SEED_SECONDS=10 $(BIN)/python -m pytest --timeout=0 \
	  tests/integration/test_chaos_random.py

SEEDS ?= 100
KILLS ?= 10

lock: $(VENV)/.dev ## Write the lock files again from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group build $(LOCKING) -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group build --group dev $(LOCKING) -c requirements.lock -o requirements-dev.lock

LOCKING := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --upgrade

clean: ## Remove what the other verbs made, except runs/
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The environment is made again when a lock file is newer; the dev one holds the same versions.
$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
