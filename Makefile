# make lab    install into .venv, then open JupyterLab on the first chapter
# make test   install into .venv, then ruff, mypy and every test
# make book   install into .venv, then run all chapters and write them to build/book; FAST=1: on fewer documents
#
# Variables: PYTHON=python3.12 (the interpreter .venv is made from), VENV=.venv, JOBS=2 (test processes),
#   BOOK="--for-students" (what else goes to python -m xmlwb.book)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# hnswlib compiles for the machine it will run on; without -march=native a venv can be moved, and CI caches stay valid.
PIP_INSTALL := HNSWLIB_NO_NATIVE=1 $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
LOG := $(VENV)/install.log
# One dot for each package that pip looks at; its whole output goes to the log.
DOTS := while read -r word rest; do case "$$word" in Collecting|Building) printf '.';; esac; done; echo

# Debian's python3 alone has no ensurepip; its pip can be had without being root.
define VENV_WITHOUT_ENSUREPIP
{ echo "   (no ensurepip: taking pip from Debian's package python3-pip-whl)"; \
  folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
  $(PYTHON) -m venv --clear --without-pip $(VENV) && \
  (cd "$$folder" && apt-get download -qq python3-pip-whl 2>/dev/null && dpkg -x *.deb .) && \
  PYTHONPATH=$$(echo "$$folder"/usr/share/python-wheels/pip-*.whl) $(BIN)/python -m pip install -q pip; } || { \
  echo "make: $$(command -v $(PYTHON)) cannot make virtual environments (no ensurepip)"; \
  echo "      and pip could not be had from apt; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
endef

.PHONY: help setup lab test lint book clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: '$(PYTHON)' not found; wanted Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $$($(PYTHON) --version) is too old; wanted 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@if [ ! -x $(BIN)/pip ]; then \
	  echo "== 1/3 Making $(VENV) with $$($(PYTHON) --version)"; \
	  if $(PYTHON) -c 'from ensurepip import version' 2>/dev/null; then $(PYTHON) -m venv --clear $(VENV); else $(VENV_WITHOUT_ENSUREPIP); fi; \
	else echo "== 1/3 $(VENV) is there, with $$($(BIN)/python --version)"; fi
	@echo "== 2/3 Installing xmlwb and its tools (some minutes the first time; a dot is a package)"
	@$(PIP_INSTALL) -e '.[dev]' 2>&1 | tee $(LOG) | { $(DOTS); } || { \
	  tail -n 20 $(LOG); echo "make: the installation failed; the whole output is in $(LOG)"; exit 1; }
	@echo "== 3/3 Compiling hnswlib, for KNN(search='hnsw')"
	@$(PIP_INSTALL) -e '.[hnsw]' >$(VENV)/hnswlib.log 2>&1 || { \
	  echo "   not available: it wants g++ and Python's headers (on Debian: apt install g++ python3-dev)."; \
	  echo "   All else works, exact KNN included. What the compiler said: $(VENV)/hnswlib.log"; }
	@touch $@

lab: $(STAMP)
	@echo "== Opening JupyterLab on notebooks/00-tour.ipynb (Ctrl-C twice stops it)"
	@$(BIN)/xmlwb lab

lint: $(STAMP)
	@echo "== ruff: style and likely mistakes"
	@$(BIN)/ruff check .
	@echo "== mypy: types"
	@$(BIN)/mypy

# One thread of BLAS and torch for each test process: two on two cores would wait for each other.
# All three run even if an earlier one failed; the tests come last, so that their summary closes the output.
test: $(STAMP)
	@failed=0; \
	echo "== ruff: style and likely mistakes"; $(BIN)/ruff check . || failed=1; \
	echo "== mypy: types"; $(BIN)/mypy || failed=1; \
	echo "== pytest: tests, doctests and notebooks, $(JOBS) processes"; \
	shopt -s nullglob; \
	XMLWB_FAST=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --nbval-lax --nbval-current-env \
	  tests xmlwb notebooks/*.ipynb notebooks/solutions/*.ipynb || failed=1; \
	[ $$failed = 0 ] || { echo "make test: something failed, see above"; exit 1; }

# Chapters whose code and prose did not change are not run again; the outputs are kept in build/book-cache.
book: $(STAMP)
	@echo "== Making the book"
	@$(BIN)/python -m xmlwb.book $(if $(FAST),--fast) $(BOOK)

clean:
	@echo "== Removing $(VENV) and caches"
	@rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
