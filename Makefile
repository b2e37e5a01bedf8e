# Rollbook: set up, run, test and check. Needs Python 3.11 or newer with pip, and make. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test check bench lock setup setup-dev clean

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
QUIET := -qq --disable-pip-version-check --no-input

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Set up, make a demo tenant and serve it on 127.0.0.1:$PORT (8000)
	@PORT=$(PORT) $(BIN)/rollbook demo --serve

test: setup-dev ## Run the tests on SQLite, then on PostgreSQL where there is one. ARGS goes to pytest
	@$(BIN)/python tools/test.py $(ARGS)

check: setup-dev ## Lint, format, types, architecture contracts and drift
	@$(BIN)/python tools/check.py

bench: setup-dev ## Run the benchmarks
	@$(BIN)/python -m bench $(ARGS)

lock: setup-dev ## Write requirements/*.txt again from requirements/*.in (needs uv)
	@$(BIN)/python tools/lock.py write

setup: $(VENV)/.base-stamp ## Make .venv with what Rollbook runs on

setup-dev: $(VENV)/.dev-stamp ## Make .venv with what tests and checks need as well

clean: ## Remove .venv and the caches (data in var/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Debian without python3-venv has no ensurepip: then the environment is made without pip and filled from outside.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Rollbook needs Python 3.11 or newer. Name one with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)

# $(call install,FILE): every distribution in FILE, each checked against its hash.
define install
echo "Installing $(1)"; \
if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1); \
elif $(BIN)/python -m pip --version >/dev/null 2>&1; then $(BIN)/python -m pip install $(QUIET) --require-hashes -r $(1); \
else $(PYTHON) -m pip --python $(BIN)/python install $(QUIET) --require-hashes -r $(1); fi
endef

$(VENV)/.base-stamp: requirements/base.txt tools/link.py | $(BIN)/python
	@$(call install,requirements/base.txt)
	@$(BIN)/python tools/link.py
	@touch $@

$(VENV)/.dev-stamp: requirements/dev.txt tools/link.py | $(BIN)/python
	@$(call install,requirements/dev.txt)
	@$(BIN)/python tools/link.py
	@touch $(VENV)/.base-stamp $@
