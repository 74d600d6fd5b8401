# Everything a person or CI runs. The first target that needs it makes .venv from requirements.lock; the first that
# tests, lints or builds the documentation adds requirements-dev.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
export UV_LINK_MODE ?= copy
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-chaos sbom test-browser test-ray test-validators test-llm test-aimock test-trl test-accessibility test-typescript test-frameworks test-litellm test-importers test-wheel lint format docs pictures bench bench-peers calibrate lock clean

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: $$($(PYTHON) --version) found. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --no-cache-dir --disable-pip-version-check "uv>=0.9"
	@echo "Installing from requirements.lock into $(VENV) …"
	@$(BIN)/uv pip install --quiet --no-cache --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --no-cache --python $(BIN)/python --no-deps --editable .
	@touch $@

$(DEV): $(READY) requirements-dev.lock
	@echo "Installing from requirements-dev.lock into $(VENV) …"
	@$(BIN)/uv pip install --quiet --no-cache --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(READY) ## Make the environment

demo: $(READY) ## Sample votes through the whole loop, with a summary
	@$(BIN)/feedback demo

dev: $(READY) ## Dagster UI, daemon, capture API and demo page on this machine
	@$(BIN)/feedback dev

test: $(DEV) ## What CI runs
	@$(BIN)/python -m pytest -m "not browser" -n 2

test-browser: $(DEV) ## Tests in a real Chromium (installs it where it may)
	@$(BIN)/python -m tests.browser.chromium && $(BIN)/python -m pytest -m browser tests/browser

test-validators: $(DEV) ## Training files before the trainers' own validators (installs them under .feedback)
	@$(BIN)/python tests/training/trainers/run.py .feedback/validators

test-trl: $(DEV) ## A tiny model from votes to its promotion, trained here with TRL (installs it under .feedback)
	@test -x .feedback/trainer/bin/python || python3 -m venv .feedback/trainer
	@.feedback/trainer/bin/python -c "import torch" 2>/dev/null || .feedback/trainer/bin/pip install -q "torch==2.13.0"
	@.feedback/trainer/bin/pip install -q "trl>=1.16,<2" peft
	@FEEDBACK_TEST_TRL=$(CURDIR)/.feedback/trainer/bin/python $(BIN)/python -m pytest -s tests/tuning/trl

test-ray: $(DEV) ## The weekly loop on a Ray cluster of two nodes on this machine, killed and lost (installs Ray under .feedback)
	@test -x .feedback/ray/bin/python || $(BIN)/python -m venv .feedback/ray
	@$(BIN)/uv pip install --quiet --python .feedback/ray/bin/python --constraint requirements.lock -r requirements-dev.lock --editable ".[ray]"
	@FEEDBACK_TEST_RAY=1 .feedback/ray/bin/python -m pytest -s -q tests/cluster

test-importers: $(DEV) ## The real MLflow, Phoenix, Label Studio, Open WebUI: written by their clients, imported, compared (environments under .feedback)
	@test -x .feedback/importers/open-webui/bin/python || $(BIN)/python -m venv .feedback/importers/open-webui
	@.feedback/importers/open-webui/bin/python -c "import torch" 2>/dev/null || .feedback/importers/open-webui/bin/pip install -q "torch==2.13.0"
	@for tool in mlflow:mlflow phoenix:arize-phoenix label-studio:label-studio open-webui:open-webui; do \
	  folder=.feedback/importers/$${tool%%:*}; \
	  test -x $$folder/bin/python || $(BIN)/python -m venv $$folder; \
	  $$folder/bin/python -m pip install -q "$${tool##*:}"; done
	@FEEDBACK_TEST_TOOLS=$(CURDIR)/.feedback/importers $(BIN)/python -m pytest -s -q tests/ingest/real_tools

test-wheel: $(DEV) ## The wheel, installed in an empty environment and run from an empty folder
	@$(BIN)/python tests/deploy/wheel.py .feedback/wheel

test-llm: $(DEV) ## A small real language model as a judge (installs it under .feedback)
	@$(BIN)/python tests/judging/small_model_environment.py .feedback/llm && FEEDBACK_TEST_LLM=.feedback/llm $(BIN)/python -m pytest -s tests/judging/test_small_model.py

test-aimock: $(DEV) ## Judging against another's implementation of the API (npm installs it under .feedback)
	@$(BIN)/python tests/judging/second_implementation.py .feedback/aimock

test-accessibility: $(DEV) ## axe-core and Lighthouse on every page (npm installs them under .feedback)
	@npm install --silent --no-audit --no-fund --ignore-scripts --prefix .feedback/axe axe-core@4
	@npm install --silent --no-audit --no-fund --ignore-scripts --prefix .feedback/lighthouse lighthouse@12
	@$(BIN)/python -m tests.browser.chromium && FEEDBACK_TEST_AXE=$(CURDIR)/.feedback/axe/node_modules/axe-core/axe.min.js FEEDBACK_TEST_LIGHTHOUSE=$(CURDIR)/.feedback/lighthouse $(BIN)/python -m pytest -m browser tests/browser/test_accessibility.py tests/browser/test_lighthouse.py

test-typescript: $(DEV) ## The TypeScript client with its compiler and the real SDKs (npm installs them under .feedback)
	@npm install --silent --no-audit --no-fund --ignore-scripts --prefix .feedback/typescript typescript@5.9 openai@6 @anthropic-ai/sdk
	@FEEDBACK_TEST_TYPESCRIPT=$(CURDIR)/.feedback/typescript $(BIN)/python -m pytest tests/capture/test_typescript_client.py

test-frameworks: $(DEV) ## The element in React 18 and 19, in Django and beside posthog-js (installed under .feedback)
	@for version in 18 19; do npm install --silent --no-audit --no-fund --ignore-scripts --prefix .feedback/react/react$$version react@$$version react-dom@$$version; done
	@npm install --silent --no-audit --no-fund --ignore-scripts --prefix .feedback/posthog posthog-js
	@test -x .feedback/django/bin/python || $(BIN)/python -m venv .feedback/django
	@.feedback/django/bin/python -m pip install -q "django>=5,<6" ./clients/python
	@$(BIN)/python -m tests.browser.chromium && FEEDBACK_TEST_REACT=$(CURDIR)/.feedback/react FEEDBACK_TEST_DJANGO=$(CURDIR)/.feedback/django/bin/python FEEDBACK_TEST_POSTHOG=$(CURDIR)/.feedback/posthog $(BIN)/python -m pytest -m browser tests/browser/test_react.py tests/browser/test_django.py tests/browser/test_posthog.py

test-litellm: $(DEV) ## Logging of the real LiteLLM (installs it under .feedback)
	@test -x .feedback/litellm/bin/python || $(BIN)/python -m venv .feedback/litellm
	@.feedback/litellm/bin/python -m pip install -q litellm ./clients/python
	@FEEDBACK_TEST_LITELLM=$(CURDIR)/.feedback/litellm/bin/python $(BIN)/python -m pytest tests/capture/test_litellm.py

test-chaos: $(DEV) ## Kills, crashes and an erasure that is killed five times: by hand and before each release
	@FEEDBACK_CHAOS_KILLS=5 timeout 2400 $(BIN)/python -m pytest -q tests/chaos tests/erasure/test_erasure.py tests/ingest/test_importing.py tests/capture/test_outage.py tests/capture/test_workers.py tests/store/test_embedded.py tests/tables/test_parquet.py tests/judging/test_stored_replies.py -k "kill or crash or died or dies or outage or worker or chaos or interrupted or languages"

sbom: $(DEV) ## What a release contains (CycloneDX), in dist/sbom.json
	@mkdir -p dist && $(BIN)/python deploy/sbom.py dist/sbom.json requirements.lock

lint: $(DEV) ## ruff, mypy, the order of the packages, and whether the definitions load
	@! grep -rnE '^(<<<<<<<|>>>>>>>) ' --include='*.md' --include='*.py' --include='*.sql' --include='*.js' --include='*.toml' --exclude-dir=.venv --exclude-dir=.feedback --exclude-dir=node_modules . && $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache && $(BIN)/mypy && $(BIN)/dg check defs

format: $(DEV) ## Let ruff put the code in order
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: $(DEV) ## The performance table: our figure and a peer's, side by side (SIZE=--small: whether it runs)
	@$(BIN)/python -m bench $(SIZE)

bench-peers: $(DEV) ## The tools that `make bench` measures beside ours, into the environment
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock -r pyproject.toml --extra bench

calibrate: $(DEV) ## How often findings and alerts are wrong, by simulation
	@$(BIN)/python -m bench.calibrate

LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

lock: ## Renew the lock files (pinned, hashed, naming no index)
	@$(BIN)/uv $(LOCK) pyproject.toml -o requirements.lock
	@$(BIN)/uv $(LOCK) --constraint requirements.lock --group dev pyproject.toml -o requirements-dev.lock

docs: $(DEV) ## The documentation as a site, under .feedback/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict && echo "The site: .feedback/site/index.html"

pictures: $(DEV) ## What the documentation shows of the UI, taken anew (needs Chromium)
	@$(BIN)/python -m tests.browser.chromium && $(BIN)/python -m tests.browser.pictures .feedback/pictures

clean: ## Remove the environment; data under .feedback stays
	rm -rf $(VENV)
