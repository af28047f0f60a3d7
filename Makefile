# Caroni Edge. `make` alone lists what can be made.
#
# Every target installs what it needs first (tools/setup.sh); a second run finds it all there. Variables:
#   PYTHON=/path/to/python3   the Python that .venv is made with, 3.11 or newer
#   WORKERS=4                 how many tests run at a time
#   ARGS='-k link'            more arguments for pytest or the benchmark

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Tests start hundreds of processes, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
WORKERS ?= 2
ARGS ?=

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## watch a workflow cross two agents, here and now
	@tools/setup.sh run
	@$(BIN)/caroni-edge demo $(ARGS)

.PHONY: test
test: ## install what the tests need, mosquitto included, and run them all
	@tools/setup.sh test
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

.PHONY: chaos
chaos: ## run 10,000 real jobs while all is killed and cut off; ARGS='--seed 7 --jobs 500' is shorter
	@tools/setup.sh test
	$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: check
check: check-format check-lint check-docs check-types check-architecture ## format, lint, documents, types, architecture: a minute at most

.PHONY: check-setup check-format check-lint check-docs check-types check-architecture
check-setup:
	@tools/setup.sh check

check-format: check-setup
	$(BIN)/ruff format --check

check-lint: check-setup
	$(BIN)/ruff check

check-docs: check-setup
	$(BIN)/python -m tools.generate_docs --check

check-types: check-setup
	$(BIN)/mypy

check-architecture: check-setup
	$(BIN)/pytest -q tests/architecture

.PHONY: format
format: ## format the code, and mend what the linter can mend by itself
	@tools/setup.sh check
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: docs
docs: ## write what is made from the code: the golden traces, docs/reference/, parts of docs/
	@tools/setup.sh check
	$(BIN)/python -m tests.golden
	$(BIN)/python -m tools.generate_docs --write

.PHONY: screenshots
screenshots: ## take the README's pictures of the pages anew, from the demo, with Chromium
	@tools/setup.sh test
	$(BIN)/python -m tools.screenshots

.PHONY: bench
bench: ## measure workflows per second and their latency on a real mosquitto
	@tools/setup.sh test
	$(BIN)/python benchmarks/chains.py $(ARGS)

.PHONY: bench-peers
bench-peers: ## the same work by Celery with RabbitMQ, HyperQueue and xargs beside it, which are installed below build/
	@tools/setup.sh test
	$(BIN)/python -m benchmarks.peers $(ARGS)

.PHONY: bench-growth
bench-growth: ## what one more costs as workflows, agents, managers and values grow; ARGS='live agents --most 1000' is shorter
	@tools/setup.sh test
	$(BIN)/python -m benchmarks.growth $(ARGS)

.PHONY: dist
dist: ## make the program in one file, which needs no Python: dist/caroni-edge-VERSION-linux-ARCH; ARCH=arm64 emulates
	@tools/dist.sh

.PHONY: deb
deb: ## make the Debian package: dist/caroni-edge_VERSION_ARCH.deb
	@tools/deb.sh

.PHONY: release-check
release-check: ## make all that a release has from a clean clone, twice, and try it; ARGS='--without arm64' is shorter
	@tools/setup.sh release
	@$(BIN)/python -m tools.release_check $(ARGS)

.PHONY: mutants
mutants: ## make mistakes in the modules that decide: tests must notice; ARGS='--count 20 --seed 7 --minutes 15'
	@tools/setup.sh check
	$(BIN)/python -m tools.mutants $(ARGS)

.PHONY: conformance
conformance: ## run CWL's conformance suite, of which CWL_SUITE names a copy
	@tools/setup.sh check
	$(BIN)/python -m tools.conformance "$(CWL_SUITE)" $(ARGS)

.PHONY: lock
lock: ## lock the dependencies anew; UPGRADE=1 takes the newest that pyproject.toml allows
	tools/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove what was made here: environment, caches, builds
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
