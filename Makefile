# Everything a user or developer needs; each target sets up what it uses, from the pinned locks.
# PYTHON=python3.12 picks an interpreter, OUT=folder says where `make run` and `make serve` keep their state.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; done)
OUT ?= out
ESTATE ?= examples/operator
MAPPINGS ?= examples/mappings
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
WEB := src/cellwright/portal/static/vendor

.PHONY: help run serve test fuzz lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.run  ## run the main job once: check, plan, mediate, digest, answer, report
	@$(BIN)/cellwright up $(ESTATE) --once --out $(OUT) --mapping $(MAPPINGS)

serve: $(VENV)/.run  ## run the main job, then keep the factory and its portal on 127.0.0.1
	@$(MAKE) --no-print-directory $(WEB)/.built || echo "the portal's scripts could not be built: its pages work, without moving charts"
	@$(BIN)/cellwright up $(ESTATE) --out $(OUT) --mapping $(MAPPINGS)

test: $(VENV)/.test  ## run all that CI runs: ruff, mypy, import-linter, pytest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n auto

fuzz: $(VENV)/.test  ## throw damaged files at every telemetry format for SECONDS (600)
	$(BIN)/python tests/telemetry/fuzz.py --seconds $(or $(SECONDS),600)

lock:  ## write the locks anew from pyproject.toml, without registry addresses (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		pyproject.toml --extra tokens --extra fast --extra delta --extra nats --extra kafka --extra store --extra mcp --extra redis --extra oidc --extra postgresql --group build -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		pyproject.toml --extra tokens --extra fast --extra delta --extra nats --extra kafka --extra store --extra mcp --extra redis --extra oidc --extra postgresql --group build --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--group pyproject.toml:web -o requirements-web.lock

clean:  ## remove the environment, caches and what `make run` wrote
	rm -rf $(VENV) $(OUT) $(WEB) web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "cellwright needs Python 3.11 or later on the PATH; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.run: $(BIN)/python requirements.lock pyproject.toml
	@echo "setting up (once) ..."
	@$(PIP) --require-hashes -r requirements.lock || { echo "the pinned packages could not be installed: setting up needs the Python package index once"; exit 1; }
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.lock
	@$(PIP) --require-hashes -r requirements-dev.lock
	@command -v nats-server >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && apt-get install -y -qq nats-server >/dev/null 2>&1; } \
		|| echo "nats-server is not installed: the tests that need it are skipped"
	@command -v redis-server >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && apt-get install -y -qq redis-server >/dev/null 2>&1; } \
		|| echo "redis-server is not installed: the tests that need it are skipped"
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && apt-get install -y -qq postgresql >/dev/null 2>&1; } \
		|| echo "no PostgreSQL server is installed: the tests that need it are skipped"
	@touch $@

$(WEB)/.built: web/build.py web/package.json web/package-lock.json requirements-web.lock
	@command -v npm >/dev/null 2>&1 || $(PIP) --require-hashes -r requirements-web.lock
	@$(BIN)/python web/build.py
	@touch $@
