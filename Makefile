SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
OLDEST := .venv-oldest
# Everything in .venv-oldest is as old as pyproject.toml allows, but for torch: PyPI has no small build of an old one, and
# another 3 GB would have to be downloaded. With TORCH=2.6.0 that is as old as allowed, too.
TORCH ?= $(shell sed -n 's/^torch==//p' constraints.txt)
IS_OLDEST := $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'
OLDEST_INSTALLED := $(OLDEST)/.installed-torch-$(TORCH)
COMPUTING := $(addprefix tests/,attribution circuit figure graph intervention model reference tracing transcoder test_promotion.py)
# One thread for each worker of Python units: two workers that use all cores each take longer than one. WORKERS= runs everything in one.
WORKERS ?= -n 2 --dist loadfile --no-loadscope-reorder -p tests.longest_first
PACKAGES := js/node_modules/.package-lock.json
BUNDLE := circuit_widget/widget/static/widget.js
FRONTEND := $(shell find js/src js/types -type f 2>/dev/null) $(wildcard js/*.mjs) js/tsconfig.json js/package.json
ARGS ?=

say = @printf '\033[1m==> %s\033[0m\n' $(1)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS=$$'\t' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: $(INSTALLED) $(BUNDLE) ## Make .venv with everything in it, and build the frontend

.PHONY: demo
demo: setup ## Open the quickstart in JupyterLab (ARGS=--check runs it without a browser)
	$(call say,"circuit-widget demo $(ARGS)")
	@$(BIN)/circuit-widget demo $(ARGS)

.PHONY: test
test: setup chromium ## Run every check: style, types, units, and a real JupyterLab in a real browser
	@$(MAKE) test-style
	@$(MAKE) test-frontend
	@$(MAKE) test-python
	@if $(IS_OLDEST); then $(MAKE) test-oldest ARGS='$(COMPUTING) $(ARGS)'; else echo 'The oldest versions are not tested: they need Python 3.11.'; fi
	@$(MAKE) test-browser

.PHONY: check
check: setup ## A verdict on a change in two minutes: style, types, the tests of what it touches and of what is above
	@OMP_NUM_THREADS=1 $(BIN)/python -m tools.check

.PHONY: test-style
test-style: setup ## Python style and types
	$(call say,"ruff and mypy")
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: test-frontend
test-frontend: $(PACKAGES) ## TypeScript types, style and units
	$(call say,"tsc$(comma) biome and vitest")
	@cd js && npm run --silent check && npm run --silent test

.PHONY: real-model
real-model: setup ## Fetch the language model that tests/real run on, once, into a cache outside the checkout
	@$(BIN)/python -m tests.real.smollm2

.PHONY: test-python
test-python: setup ## Python units (ARGS= goes to pytest)
	@if [ "$${CI:-}" = true ]; then $(MAKE) real-model; else $(MAKE) real-model || true; fi
	$(call say,"pytest on both cores")
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(WORKERS) --ignore tests/browser --durations 30 $(ARGS)

.PHONY: test-oldest
test-oldest: $(OLDEST_INSTALLED) ## Python units on the oldest versions promised (TORCH=2.6.0 for the oldest torch, too)
	$(call say,"pytest on the oldest versions promised$(comma) with torch $(TORCH)")
	@OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest $(WORKERS) --ignore tests/browser --durations 30 $(ARGS)

.PHONY: test-browser
test-browser: setup chromium ## JupyterLab, Notebook, marimo, Voilà in a browser (ARGS= goes to pytest)
	$(call say,"pytest tests/browser")
	@$(BIN)/python -m pytest $(WORKERS) tests/browser $(ARGS)

.PHONY: chromium
chromium: $(INSTALLED)
	@$(BIN)/python tests/browser/chromium.py --install

.PHONY: generate
generate: setup ## Write what the frontend shares with the package: messages, numbers, colours, words
	$(call say,"Writing the frontend's messages and constants")
	@$(BIN)/python -m circuit_widget.widget.frontend_types
	@$(BIN)/python -m tools.generate_frontend

.PHONY: demo-model
demo-model: setup ## Train the embedded model and its transcoders again (under half an hour on two cores)
	$(call say,"Training the embedded model")
	@$(BIN)/python -m tools.train_demo.build $(ARGS)

.PHONY: bench
bench: setup chromium ## Measure traces, interventions and click to repaint
	$(call say,"Benchmarks")
	@$(BIN)/python bench/trace.py
	@$(BIN)/python -m bench.intervene
	@$(BIN)/python -m bench.click

.PHONY: gallery
gallery: setup ## Draw the pictures of docs/gallery.md from real runs (ARGS="--graph FILE" draws that graph instead)
	$(call say,"Drawing the gallery")
	@$(BIN)/python -m tools.gallery $(ARGS)

.PHONY: mutants
mutants: setup ## Make two hundred mistakes, each of which a test has to catch: two hours (ARGS=attribution makes those with the word)
	$(call say,"Mistakes that tests have to catch")
	@$(BIN)/python -m tools.mutants.run $(ARGS)

.PHONY: clean
clean: ## Remove the environment, packages, builds and caches
	rm -rf .venv $(OLDEST) js/node_modules circuit_widget/widget/static build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

comma := ,

.venv/bin/python:
	$(call say,"Making .venv with $(PYTHON)")
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; install Python 3.11 or newer, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found; say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null; \
	  else echo "This Python cannot make virtual environments; on Debian: sudo apt-get install python3-venv"; exit 1; fi; }
	@$(PYTHON) -m venv .venv

$(INSTALLED): pyproject.toml constraints.txt hatch_build.py | .venv/bin/python $(BUNDLE)
	$(call say,"Installing torch (the largest download)")
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(call say,"Installing circuit-widget and the tools around it")
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(OLDEST_INSTALLED): pyproject.toml constraints.txt constraints-oldest.txt hatch_build.py | .venv/bin/python $(BUNDLE)
	$(call say,"Making $(OLDEST) with the oldest versions promised$(comma) and torch $(TORCH)")
	@$(IS_OLDEST) || { echo "The oldest versions need the oldest Python, 3.11, and .venv has $$($(BIN)/python --version); say make clean, and then make test-oldest PYTHON=/path/to/python3.11"; exit 1; }
	@rm -rf $(OLDEST)
	@$(BIN)/python -m venv $(OLDEST)
	@awk -F '==' '!/^#/ && $$1 != "torch" && $$1 != "sympy" && !seen[$$1]++' constraints-oldest.txt constraints.txt > $(OLDEST)/constraints.txt
	@$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(OLDEST)/constraints.txt torch==$(TORCH) \
	  --editable '.[examples,figures,gguf]' hatchling hypothesis ipykernel nbclient pypdf pytest pytest-xdist
	@touch $@

$(PACKAGES): js/package.json js/package-lock.json
	$(call say,"Installing the frontend's packages")
	@command -v npm >/dev/null || { echo "npm was not found; install Node 20 or newer (on Debian: apt-get install nodejs npm)"; exit 1; }
	@cd js && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(BUNDLE): $(FRONTEND) $(PACKAGES)
	$(call say,"Building the frontend")
	@cd js && npm run --silent build
	@touch $@
