# Every target sets up the virtual environment .venv first, once; it needs nothing but python3 and make.
PYTHON ?= python3
BIN := .venv/bin
CODE ?=
.DEFAULT_GOAL := help
export GRPC_VERBOSITY ?= NONE

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("this project needs Python 3.11 or newer; set PYTHON=… to one" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up .venv (once; about a minute) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on -c constraints.txt -e '.[reviewers,mail,minds,postgres,grpc,test,check]'
	@touch $@
	@echo "… done."

setup: .venv/ready ## Create .venv with everything pinned

check: .venv/ready ## Static checks: format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Thousands of tests wait for real processes on computers that do other things as well: one that fails is run once
# more, and named at the end as rerun.
test: .venv/ready ## All tests, in parallel, with coverage
	$(BIN)/pytest -n auto --dist loadgroup --reruns 1 -rR --cov --cov-report=term:skip-covered

test-others: .venv/ready ## Agents of other frameworks behind the coordinator; installs them once, in folders of their own
	$(BIN)/pytest -m others tests/others

demo: .venv/ready ## Five reviewers and the coordinator as processes review CODE (default: a small flawed sample)
	@$(BIN)/coordinator demo $(CODE)

serve: .venv/ready ## The same network, until Ctrl-C
	@$(BIN)/coordinator network

bench: .venv/ready ## The benchmarks; the figures of the README come from here
	$(BIN)/python -m tests.benchmarks

chaos: .venv/ready ## Kill the coordinator 200 times and more, alone and as replicas, and look what is lost (an hour)
	$(BIN)/python -m tests.chaos.webhook
	$(BIN)/python -m tests.chaos --rounds 200 --at-least 5
	$(BIN)/python -m tests.chaos --rounds 200 --postgres --replicas 2
	$(BIN)/python -m tests.chaos --rounds 200 --postgres --replicas 3

clean: ## Remove .venv and caches
	rm -rf .venv .venv-a2a-0.3 .venv-a2a-0.3.lock .venv-adk* .venv-fasta2a* .venv-strands* tests/others/agents/javascript/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist

.PHONY: help setup check test test-others demo serve bench chaos clean
