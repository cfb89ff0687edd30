# `make demo` and `make test` do all that they need, on a machine with Python, make and a package archive.

BIN := .venv/bin
PYTEST := $(BIN)/pytest
# Measures parts of a second, so it has the machine for itself; of the others two run at a time
TIMED := tests/lab/test_hold.py
# What the two commands of a newcomer need besides Python packages
READY := .venv/ready

.PHONY: help demo recipe test lint unit lab faults bench lab-up format images clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 \t/p' Makefile | expand -t 20

demo: $(READY) images ## a migration before your eyes, under a stream of mail, with its account
	$(BIN)/python -m tests.lab.demo $(DEMO)

recipe: $(READY) images ## the recipe followed by hand under the same stream, to compare
	$(BIN)/python -m tests.lab.demo --recipe $(DEMO)

test: lint unit lab ## everything: style, types, layers, unit tests, the tests in the lab

lint: $(READY) ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(READY) ## the tests that need nothing but Python
	$(PYTEST) -n auto -m "not lab and not fault"

lab: $(READY) images ## the tests on real hosts, in containers
	$(PYTEST) -m lab $(TIMED)
	$(PYTEST) -m lab -n 2 --dist loadgroup --ignore $(TIMED)

faults: $(READY) images ## the long table of faults: docs/reliability.md (PART=1/4 for a quarter of it)
	$(PYTEST) tests/faults -m fault -n 2 --part $(or $(PART),1/1) --table docs/reliability.md

bench: $(READY) images ## what it costs beside the recipe: docs/performance.md (SCALE=0.1 for a smaller store)
	$(BIN)/python -m tests.bench --scale $(or $(SCALE),1)

lab-up: $(READY) images ## two hosts and a name server to play with, until Ctrl-C
	$(BIN)/python -m tests.lab

format: $(READY) ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

images: ## a Docker engine that answers, and the lab's image
	@docker/engine.sh
	@docker/images.sh

clean: ## remove the environment and what the tools remember
	rm -rf .venv .faults .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	.ci/environment
