# One set of targets for people and for .ci/run. `make run` and `make test` need no preparation.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
# Python and Node are installed side by side: half the waiting on a first start.
MAKEFLAGS += --no-print-directory -j2

PYTHON ?= python3
PYTEST_FLAGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_REQUIRE_VIRTUALENV := 1

BIN := .venv/bin
# A stamp names what it was made from, the place included (a virtual environment cannot be moved): nothing changed, nothing runs.
hash_of = $(shell cat $(1) <(pwd) 2>/dev/null | sha256sum | cut -c1-16)
RUN_STAMP := .venv/stamps/run-$(call hash_of,requirements.txt requirements-build.txt pyproject.toml)
DEV_STAMP := .venv/stamps/dev-$(call hash_of,requirements-dev.txt pyproject.toml)
NODE_STAMP := web/node_modules/.stamp-$(call hash_of,web/package.json web/package-lock.json)
WEB := server/coscribe/web/.vite/manifest.json
# Folders are listed too: their time changes when a file in them goes away.
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/tests -prune -o -path web -o -print)
PIP_INSTALL := $(BIN)/python -m pip install --quiet
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: run setup web test torture autobahn bench bench-peers scaling check lock format wheel browser clean help

run: $(RUN_STAMP) $(WEB) ## Install what is missing, build the web client and serve; HOST= and PORT= choose where
	@exec $(BIN)/coscribe serve $(if $(HOST),--host "$(HOST)") $(if $(PORT),--port "$(PORT)")

setup: $(DEV_STAMP) $(NODE_STAMP) ## Install everything that running and testing need

web: $(WEB) ## Build the web client if its sources changed

test: $(DEV_STAMP) $(WEB) browser ## Run every test, the fast ones first
	npm --prefix web run --silent test
	$(BIN)/python -m pytest -n 2 -rs $(PYTEST_FLAGS)

torture: $(DEV_STAMP) $(WEB) browser ## Run every proof of docs/reliability.md in full and write that page; most of an hour
	@$(BIN)/python -m tests.torture.run

autobahn: $(DEV_STAMP) ## Judge the WebSocket carrier by Autobahn's test suite, on Python 2.7 (PYTHON2=), for docs/autobahn.md
	@$(BIN)/python -m tests.torture.autobahn

bench: $(DEV_STAMP) $(WEB) ## Measure our server and write docs/transports.md, most of an hour; a part: BENCH='capacity-a latency'
	@$(BIN)/python -m tests.bench --new $(BENCH)
	@$(if $(BENCH),,$(BIN)/coscribe bench transports --docs docs)

bench-peers: $(DEV_STAMP) $(WEB) ## Measure it beside other servers, for some hours, and write docs/performance.md
	@$(BIN)/python -m tests.bench.packages
	@$(BIN)/python -m tests.bench --new --servers all --rounds 3 --out test-results/bench-peers.jsonl $(BENCH)
	@$(BIN)/python -m tests.bench.report test-results/bench-peers.jsonl

scaling: $(DEV_STAMP) $(WEB) ## Measure one, two and three instances with PostgreSQL and Redis, and write docs/scaling.md
	@$(BIN)/python -m tests.bench instances --new --out test-results/scaling.jsonl
	@$(BIN)/python -m tests.bench.scaling test-results/scaling.jsonl

check: $(DEV_STAMP) $(WEB) ## Formatting, lint, types, import staircase, bundle sizes, cost of the hot path, lock files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm --prefix web run --silent check
	web/node_modules/.bin/biome ci --config-path=web $$(find tests -name '*.mjs')
	npm --prefix web run --silent size
	$(BIN)/python -m tests.bench.guard
	@! grep -nE 'https?://|^ *--(index-url|extra-index-url|find-links)|"resolved"' requirements*.txt \
	  || { echo 'A lock file names a host: run "make lock".'; exit 1; }
	@! grep -n '"resolved"' web/package-lock.json \
	  || { echo 'web/package-lock.json names a host: delete the "resolved" lines.'; exit 1; }

format: $(DEV_STAMP) $(NODE_STAMP) ## Format and fix what can be fixed by machine
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	npm --prefix web run --silent format

lock: $(DEV_STAMP) ## Take the newest versions that pyproject.toml and web/package.json allow
	$(UV_COMPILE) --upgrade pyproject.toml --extra tracing --output-file requirements.txt
	$(UV_COMPILE) --upgrade --group build --output-file requirements-build.txt
	$(UV_COMPILE) --upgrade pyproject.toml --extra tracing --group dev --constraints requirements.txt --constraints requirements-build.txt \
	  --output-file requirements-dev.txt
	npm --prefix web update --package-lock-only

wheel: $(RUN_STAMP) $(WEB) ## Pack dist/*.whl with the built web client and the migrations
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

browser: ## Install Debian's chromium when there is none
	@.ci/browser

clean: ## Remove what was installed and built; ./data stays
	rm -rf .venv .bench web/node_modules server/coscribe/web dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 13

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo 'Coscribe needs Python 3.11 or newer. Install one, or name it: make run PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo 'Python cannot make virtual environments here. On Debian and Ubuntu: sudo apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv .venv

$(RUN_STAMP): | .venv/bin/pip
	$(PIP_INSTALL) --require-hashes -r requirements.txt -r requirements-build.txt
	$(PIP_INSTALL) --no-index --no-deps --no-build-isolation --editable .
	@mkdir -p $(@D) && rm -f $(@D)/run-* && touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(PIP_INSTALL) --require-hashes -r requirements-dev.txt
	@mkdir -p $(@D) && rm -f $(@D)/dev-* && touch $@

$(NODE_STAMP):
	@command -v npm >/dev/null && node -e 'process.exit(Number(parseInt(process.versions.node) < 20))' \
	  || { echo 'Coscribe needs Node.js 20 or newer with npm to build its web client.'; exit 1; }
	npm --prefix web ci --loglevel error
	@touch $@

$(WEB): $(WEB_SOURCES) | $(NODE_STAMP)
	npm --prefix web run --silent build -- --logLevel warn
	@touch $@
