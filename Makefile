# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 or newer, make and a package index.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint generate check-generated lock nightly clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "controller needs Python 3.11 or newer; run: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making $(VENV) with what $< pins; this takes about a minute, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## Play the controller against an embedded AWS (no account, under 30 s)
	$(BIN)/controller demo

test: $(STAMP) ## Run every test
	$(BIN)/python -m pytest

bench: $(STAMP) ## Measure the controller beside other clients (some minutes)
	$(BIN)/python -m benchmarks

nightly: $(STAMP) ## Run the slow sweeps too
	$(BIN)/python -m pytest -m "slow or not slow"

lint: $(STAMP) check-generated ## Formatter, linter, type checker, layer contracts, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

generate: $(STAMP) ## Write the generated files (ECS model, IAM policies, crds/) anew
	$(BIN)/python -m controller.aws.model
	$(BIN)/python -m controller.aws.operations
	$(BIN)/python -m controller.aws.policies deploy/iam
	$(BIN)/controller schema --write crds
	$(BIN)/python -m controller.core.fields.page > docs/fields.md
	$(BIN)/python -m controller.core.spec_page > docs/spec.md

check-generated: $(STAMP)
	$(BIN)/python -m controller.aws.model --check
	$(BIN)/python -m controller.aws.operations --check
	$(BIN)/python -m controller.aws.policies deploy/iam --check
	$(BIN)/controller schema --check crds
	$(BIN)/python -m controller.core.fields.page | diff -u docs/fields.md -
	$(BIN)/python -m controller.core.spec_page | diff -u docs/spec.md -

lock: $(STAMP) ## Resolve the dependencies anew into the hashed lock files
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras \
	  --custom-compile-command 'make lock' pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras \
	  --custom-compile-command 'make lock' -c requirements.lock --extra sandbox --group dev pyproject.toml -o requirements-dev.lock

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
