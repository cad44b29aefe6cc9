# The commands of this project. Each sets up what it needs first; the first time takes a while.
# PACKAGES="PURL..." chooses what `make run` extracts, PYTHON=... the interpreter of setup.

VENV := $(or $(UV_PROJECT_ENVIRONMENT),.venv)
BIN := $(VENV)/bin
UV_VERSION = $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' scripts/uv.txt)
UV = UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never .tools/uv-$(UV_VERSION)/bin/uv
CODE := ssc_ingest workers beat_schedule.py tests benchmarks scripts
PACKAGES ?=
PYTHON ?=
export PYTHON

.PHONY: help setup run test simulator-tests soak coverage check lint fast bench format docs lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

setup: ## build .venv from uv.lock
	@scripts/setup

run: setup ## start everything and take a few real packages into the graph
	@$(BIN)/ssc-ingest up --demo $(PACKAGES)

# Of a server that lives for minutes, Java's second compiler costs more than it brings.
test: export JAVA_TOOL_OPTIONS := -XX:TieredStopAtLevel=1
test: setup ## all tests, on real servers (some minutes)
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

simulator-tests: setup ## tests of the simulated registries that the tests read
	@$(BIN)/pytest -q -n logical --dist worksteal tests/simulator_tests

soak: setup ## endurance and memory, at full size (an hour); SOAK=short for a tenth
	@SOAK=$(or $(SOAK),full) $(BIN)/pytest -m soak

coverage: setup ## all tests, and what they never ran
	@$(BIN)/pytest --cov --cov-report=term

check: setup ## linters, types and the fast tests, side by side (under a minute)
	@$(MAKE) --no-print-directory --jobs=2 $(filter --output-sync,$(.FEATURES:%=--%)) lint fast

lint: setup ## linters and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .
	@$(BIN)/codespell
	@$(BIN)/python scripts/settings_docs.py --check

fast: setup ## the tests that need no servers
	@$(BIN)/pytest -q -n logical --dist worksteal tests/unit

bench: setup ## measure, and say how docs/performance.md was made
	@$(BIN)/python -m benchmarks

format: setup ## let ruff put the code in form
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

docs: setup ## write template.env and docs/settings.md anew
	@$(BIN)/python scripts/settings_docs.py

lock: setup ## take the newest versions that pyproject.toml allows into uv.lock
	@$(UV) lock --upgrade
	@$(UV) export --quiet --frozen --only-group uv --no-header --no-annotate -o scripts/uv.txt

clean: ## remove what setup and the tests made (not your data)
	rm -rf .venv .venv-* .tools dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
