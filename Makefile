# Every target does all of its own set-up, says what it installs before it does, and is quick the second time.

.DEFAULT_GOAL := help
BIN := .venv/bin
# The demo's pool; another name where somebody else on the same Docker engine has taken this one: make demo POOL=mine
export POOL ?= demo

# On two busy cores real daemons do things now and then in an order that no test foresaw: up to five tests of a run are tried
# once more. The summary shows how each failed first; that is a test to be mended. With AGAIN=0 none is tried again.
AGAIN ?= 1
FILES_APART := --dist loadfile --reruns $(AGAIN) --max-suite-reruns 5 --rerun-show-tracebacks
# Tests on real parts wait more than they compute: two files at a time, each with a pool of its own.
BESIDE := --numprocesses 2 $(FILES_APART)
# Those that break things wait still more.
SLOW_BESIDE := --numprocesses 3 $(FILES_APART)

.PHONY: help
help: ## this list
	@grep --extended-regexp '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand --tabs=12

.PHONY: demo
demo: ## start a pool on this machine and run a job on it, from an empty pool to an empty pool
	@scripts/prepare engine
	@scripts/demo

.PHONY: down
down: ## remove every container and network that the demo made (state and images stay)
	@scripts/prepare venv
	@$(BIN)/prominence pool down --name $(POOL)
	@rm --force --recursive .pool

.PHONY: test
test: ## unit tests, then contract, integration, journey and old-client tests on real HTCondor, Docker and etcd
	@scripts/prepare test
	@$(BIN)/pytest tests/unit --numprocesses auto --quiet
	@$(BIN)/pytest tests/contract tests/integration tests/journey tests/old_client -m "not slow" $(BESIDE)

.PHONY: unit
unit: ## the unit tests alone: seconds, no container
	@scripts/prepare venv
	@$(BIN)/pytest tests/unit --numprocesses auto --quiet

.PHONY: test-slow
test-slow: ## what takes long: many more random examples, each part of a pool killed with work in it, a second pool
	@scripts/prepare test
	@$(BIN)/pytest tests/unit --numprocesses auto --quiet --hypothesis-profile thorough
	@$(BIN)/pytest tests -m slow $(SLOW_BESIDE)

.PHONY: test-faults
test-faults: ## of the slow tests those that break a part of a pool: killed, paused, doubled, its disk full
	@scripts/prepare test
	@$(BIN)/pytest tests -m faults $(BESIDE)

.PHONY: bench
bench: ## figures beside baselines of the same run, on a quiet machine; ONLY=name for some; writes benchmarks/results.json
	@scripts/prepare test
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

.PHONY: check
check: ## format, lint, strict types, import contracts
	@scripts/prepare venv
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy $(foreach c,core restapi scaler imc executor cli images,-p prominence.$(c))
	@$(BIN)/mypy --config-file tests/mypy.ini tests scripts/reference_pages
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

.PHONY: docs
docs: ## the documentation as a site, build/docs/index.html; a link that leads nowhere is an error
	@scripts/prepare venv
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs build/docs

.PHONY: format
format: ## format the code and sort its imports
	@scripts/prepare venv
	@$(BIN)/ruff check --quiet --fix --select I .
	@$(BIN)/ruff format --quiet .

.PHONY: lock
lock: ## refresh images/constraints.txt, the versions that everything here is tested with
	@scripts/prepare venv
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --extra dev --output-file images/constraints.txt pyproject.toml
