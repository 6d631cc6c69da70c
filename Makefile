# Every target needs nothing but Python 3.11 with venv. An install step runs again only when its inputs changed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt

.PHONY: demo test lint bench mutants docs release-check clean

demo: $(VENV)/.installed
	$(BIN)/labelproof demo --overwrite

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done
	$(BIN)/python benchmarks/_readme.py

mutants: $(VENV)/.installed-dev
	$(BIN)/python tests/mutants/run.py

docs: $(VENV)/.installed-dev
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python -m sphinx -W -q -D plot_gallery=0 -b doctest docs docs/_build/doctest
	@echo "docs/_build/html/index.html"

release-check: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[release]"
	.ci/release-check $(abspath $(BIN))

clean:
	rm -rf $(VENV) docs/_build docs/api docs/gallery labelproof-demo .mutants

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(INPUTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(INPUTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.installed
