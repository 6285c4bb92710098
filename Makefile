# make demo   the whole lifecycle on real flights          make bench  the budgets, measured
# make test   everything that .ci/run asks for             make docs   the pages, in site/
# make check  the quick part: style, types, imports        make clean  remove what these made
# make peers  what bench stands mlkit beside, each in an environment of its own
#
# Each makes .venv from nothing where needed: with uv where it is found, with pip where not. bench
# makes the peers too (1.5 GB in .venv-peers), and goes on without those that can't be installed.
# PYTHON=/path/to/python picks the interpreter; it must be 3.11 or newer.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
PYTHON ?=

BIN := .venv/bin
PEERS := trackio wandb mlflow tensorboardx dvc
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help demo test check bench peers docs clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: .venv/.demo
	$(BIN)/python docs/examples/flights.py

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m pytest --cov --cov-report=term

bench: .venv/.dev peers
	$(BIN)/python -m pytest tests/benchmarks -o python_files='bench_*.py' -p no:cacheprovider -q -s

peers: $(PEERS:%=.venv-peers/%/.made)

docs: .venv/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv .venv-peers site mlkit-demo .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# The environment. Each stamp stands when its part is whole, and falls behind pyproject.toml when
# what that asks for has changed.

.venv/.made:
ifneq ($(UV),)
	uv venv --quiet --clear --python '$(or $(PYTHON),>=3.11)' .venv
	@touch $@
else
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3 python; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "$$python -m venv .venv"; \
	        "$$python" -m venv --clear .venv; \
	        touch $@; \
	        exit; \
	    fi; \
	done; \
	echo "No Python 3.11 or newer was found; name one: make PYTHON=/path/to/python" >&2; \
	exit 1
endif

.venv/.demo: pyproject.toml | .venv/.made
	$(call install,demo)
	@touch $@

.venv/.dev: pyproject.toml | .venv/.made
	$(call install,dev)
	@touch $@ .venv/.demo

# One that can't be installed has no stamp: the others and the benchmark go on, and the next make
# tries it again.
.venv-peers/%/.made: tests/benchmarks/peers/requirements/%.txt | .venv/.made
	@echo "$$(cat $<) goes into $(@D)"
	@rm -rf $(@D)
	@if $(call install_peer,$(@D),$<); then \
	    touch $@; \
	else \
	    rm -rf $(@D); \
	    echo "$* can't be installed: make bench will leave it out" >&2; \
	fi

# pip knows dependency groups from 25.1 on, and Python 3.11 brings an older one.
ifneq ($(UV),)
install = uv pip install --quiet --python $(BIN)/python --editable . --group $(1)
install_peer = uv venv --quiet --python $(BIN)/python $(1) && \
	uv pip install --quiet --compile-bytecode --python $(1)/bin/python --requirement $(2)
else
install = $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
	$(BIN)/python -m pip install --quiet --editable . --group $(1)
install_peer = $(BIN)/python -m venv $(1) && \
	$(1)/bin/python -m pip install --quiet --requirement $(2)
endif
