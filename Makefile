# `make demo` and `make test` do all the set-up they need. See README.md.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CACHE ?= $(or $(G8R_CACHE),$(HOME)/.cache/g8r)
DEMO ?= /tmp/g8r-demo
export G8R_CACHE := $(CACHE)
export G8R_TEST_NICKEL ?= $(CACHE)/nickel/bin/nickel

.PHONY: help demo test check unit real soak bench docs nickel graph clean

help:
	@echo "make demo    set up, then plan and apply a first stack (no root needed)"
	@echo "make test    set up, then run every check and test"
	@echo "make check   formatting, lint, types, architecture"
	@echo "make unit    the tests that boot no hosts"
	@echo "make real    the tests on booted Debian hosts (root)"
	@echo "make soak    2,000 kills instead of 200"
	@echo "make docs    write the generated pages and the picture again"
	@echo "make bench   g8r against Salt, pyinfra, Ansible and Terraform"

# ---- set-up ----

# Debian's python3 has no ensurepip without python3-venv; root installs that by itself.
$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; \
	  else echo "python3-venv is needed: apt-get install python3-venv"; exit 1; fi; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q g8r
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# The real `nickel` command, for the tests that hold both evaluators to the same answers. Minutes, once.
nickel: $(CACHE)/nickel/bin/nickel
$(CACHE)/nickel/bin/nickel:
	@if command -v nickel >/dev/null; then mkdir -p $(@D) && ln -sf "$$(command -v nickel)" $@; \
	elif command -v cargo >/dev/null; then cargo install --quiet nickel-lang-cli --locked --root $(CACHE)/nickel; \
	else echo "neither nickel nor cargo is here: the tests that need the nickel command will say that they are skipped"; fi

# ---- what people run ----

demo: $(VENV)/.installed
	@rm -rf $(DEMO) && mkdir -p $(DEMO)/state
	@set -e; g8r() { echo; echo "\$$ g8r $$*"; $(abspath $(BIN))/g8r "$$@"; }; \
	export G8R_STATE=$(DEMO)/state G8R_HOME=$(DEMO)/home; \
	g8r plan examples/hello --var folder=$(DEMO)/hello; \
	g8r apply examples/hello --yes --var folder=$(DEMO)/hello; \
	g8r plan examples/hello --var folder=$(DEMO)/hello; \
	g8r output -s examples/hello; \
	echo; echo "That was g8r. What it made is in $(DEMO)/hello; next: .venv/bin/g8r init mysite"

test: $(VENV)/.dev nickel check
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(VENV)/.dev
	$(BIN)/ruff format --check --quiet g8r tests benchmarks docs
	$(BIN)/ruff check --quiet g8r tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache >/tmp/g8r-lint-imports.txt || { cat /tmp/g8r-lint-imports.txt; exit 1; }

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not real"

real: $(VENV)/.dev
	G8R_REQUIRE_REAL=1 $(BIN)/python -m pytest -m real

soak: $(VENV)/.dev
	G8R_KILLS=2000 $(BIN)/python -m pytest tests/engine/test_kill.py --timeout 7200

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
