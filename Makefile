# hearthflux: `make demo` shows it, `make test` checks it. Everything made here goes to .venv, .tools and .local.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# Tests wait (for servers, fsync, restarts) more than they compute: more workers than cores pay.
TEST_WORKERS ?= 4
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/.tools/bin:$(PATH)
# Each pulumi starts several Pythons: without kept byte code every one of them compiles the project again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env tools test-servers demo test lint format preview sdk lock audit telegraf bench-writer bench-survival bench-provider bench-summaries bench-import clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml requirements.lock hatch_build.py event_schema/_variants.c operations/imports/_lines.c writer/_quick.c
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12")'
	@echo "making .venv from requirements.lock (about a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

env: .venv/.ready ## the Python environment, from the lock file

tools: env ## influxd and pulumi: found on PATH, or built (about 10 minutes, once)
	@$(BIN)/python -m tools

demo: tools ## a home's history, from an empty folder to plots
	@$(BIN)/hearthflux demo

lint: env ## ruff, mypy --strict, and actionlint over the workflows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tools.workflows

format: env ## let ruff put the code in shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test-servers: tools ## what only the tests need: InfluxDB 1.x and a Home Assistant (about 3 minutes, once)
	@$(BIN)/python -m tools.test_servers

test: test-servers lint ## everything, on the real influxd and the real pulumi
	@$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

preview: tools ## the diff of every environment: what `pulumi up` would change
	@$(BIN)/hearthflux stack preview --all --local --diff

sdk: env ## the provider's schema, and its classes for Python and TypeScript, written anew from its tables
	@$(BIN)/python -m provider.schema > provider/schema.json
	@$(BIN)/python -m provider.codegen
	@rm -rf provider/sdk/nodejs
	@cd tools/pulumi && go run ./sdk ../../provider/schema.json ../../provider/sdk/nodejs
	@$(BIN)/python -c 'import hashlib, pathlib; print(hashlib.sha256(pathlib.Path("provider/schema.json").read_bytes()).hexdigest())' > provider/sdk/nodejs/SCHEMA_SHA256

lock: env ## write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-annotate --quiet --custom-compile-command "make lock" --output-file requirements.lock
	@$(BIN)/uv pip compile tools/home_assistant/requirements.in --python-version 3.11 --generate-hashes --no-annotate \
		--quiet --custom-compile-command "make lock" --output-file tools/home_assistant/requirements.lock

audit: env ## known vulnerabilities of the pinned dependencies (asks PyPI's advisory service)
	@$(BIN)/python -m tools.audit

bench-writer: tools ## the writer beside its peers
	@$(BIN)/python -m benchmarks.writer

bench-survival: tools ## what survives faults, beside other writers (about 10 minutes; with Telegraf after `make telegraf`)
	@$(BIN)/python -m benchmarks.survival

telegraf: env ## Telegraf for bench-survival only (about 3 minutes, once)
	@$(BIN)/python -m tools.telegraf

bench-provider: tools ## the provider beside a stub and plain API calls
	@$(BIN)/python -m benchmarks.provider

bench-import: test-servers ## every import beside the writer alone
	@$(BIN)/python -m benchmarks.imports

bench-summaries: tools ## the summaries beside the plain continuous-query shape
	@$(BIN)/python -m benchmarks.summaries

clean: ## stop the local server and remove .local and .venv; .tools stays
	@test ! -x $(BIN)/hearthflux || $(BIN)/hearthflux server stop
	@rm -rf .local .venv
