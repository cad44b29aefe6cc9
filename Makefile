# The commands of this project. Each installs what it needs first, which takes a while the first time.
# PACKAGES="PURL..." sets the packages of `make run`, TESTS="FOLDER..." the tests of `make test`,
# PYTHON=... the interpreter of setup.

VENV := $(or $(UV_PROJECT_ENVIRONMENT),.venv)
BIN := $(VENV)/bin
UV_VERSION = $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' scripts/uv.txt)
UV = UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never .tools/uv-$(UV_VERSION)/bin/uv
CODE := ssc_ingest workers beat_schedule.py tests benchmarks scripts
PACKAGES ?=
TESTS ?=
PYTHON ?=
export PYTHON

.PHONY: help setup run test simulator-tests soak coverage check lint fast bench format docs lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

setup: ## build .venv from uv.lock
	@scripts/setup

run: setup ## start everything and add a few real packages to the graph
	@$(BIN)/ssc-ingest up --demo $(PACKAGES)

# For a server that lives for minutes, Java's second compiler and its concurrent collector cost more
# than they save. The first one alone has room for 48 MB of code, which are full after two minutes;
# then methods are thrown away and compiled again. Pytest keeps the assertions that it has rewritten,
# as bytecode.
test: export JAVA_TOOL_OPTIONS := -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m
test fast: export PYTHONDONTWRITEBYTECODE :=
test: setup ## all tests, on real servers (about ten minutes)
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(TESTS)

simulator-tests: setup ## the tests of the simulated registries
	@$(BIN)/pytest -q -n logical --dist worksteal tests/simulator_tests

soak: setup ## endurance, restored backups and memory (an hour and a half); SOAK=short takes minutes
	@SOAK=$(or $(SOAK),full) $(BIN)/pytest -m soak

coverage: setup ## all tests, and the lines that they never ran
	@$(BIN)/pytest --cov --cov-report=term

check: setup ## linters, types and the fast tests in parallel (about a minute)
	@$(MAKE) --no-print-directory --jobs=2 $(filter --output-sync,$(.FEATURES:%=--%)) lint fast

lint: setup ## linters and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .
	@$(BIN)/codespell
	@$(BIN)/python scripts/settings_docs.py --check
	@$(BIN)/python -m scripts.kubernetes_manifests --check

fast: setup ## the tests that need no servers
	@$(BIN)/pytest -q -n logical --dist worksteal tests/unit

bench: setup ## run the main benchmark of docs/performance.md
	@$(BIN)/python -m benchmarks

format: setup ## format the code with ruff
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

docs: setup ## regenerate template.env, docs/settings.md, tables of docs/data-model.md, deploy/kubernetes
	@$(BIN)/python scripts/settings_docs.py
	@$(BIN)/python -m scripts.kubernetes_manifests

lock: setup ## update uv.lock to the newest versions that pyproject.toml allows
	@$(UV) lock --upgrade
	@$(UV) export --quiet --frozen --only-group uv --no-header --no-annotate -o scripts/uv.txt

clean: ## remove the files of setup and the tests (not your data)
	rm -rf .venv .venv-* .tools dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
