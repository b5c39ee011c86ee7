# One word each; `make help` lists them. The same lines without make stand in README.md.

PYTHON ?= python3
DATASET ?= drawn_pets
LESSON_LANGUAGE ?= en

BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
STAMP := .venv/installed

.PHONY: help .venv demo test test-all lint notebooks render bench pins clean

help:  ## list the targets
	@grep -hE '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /:/' | awk -F: '{printf "make %-10s %s\n", $$1, $$2}'

.venv: $(STAMP)  ## the environment, with both frameworks

$(STAMP): requirements.txt pyproject.toml scripts/setup.py
	$(PYTHON) scripts/setup.py

demo: $(STAMP)  ## the lesson in both frameworks (DATASET=cats_vs_dogs, LESSON_LANGUAGE=es)
	$(BIN)/tlhelpers demo --dataset $(DATASET) --language $(LESSON_LANGUAGE)

test: $(STAMP)  ## the suite; each lesson in both frameworks (with TLHELPERS_DATA also on real photos)
	$(BIN)/python scripts/test.py

test-all: $(STAMP)  ## the same, with the slow tests and every notebook in both languages
	$(BIN)/python scripts/test.py --all

lint: $(STAMP)  ## style, notebooks against their sources, workflows
	$(BIN)/python scripts/lint.py

notebooks: $(STAMP)  ## build all notebooks and run them on the sample
	$(BIN)/tlhelpers build --execute

render: $(STAMP)  ## notebooks/ as HTML in results/html
	$(BIN)/python scripts/render.py

bench: $(STAMP)  ## the speed ratios that the course promises
	$(BIN)/python benchmarks/run.py

pins: $(STAMP)  ## requirements.txt from the pyproject.toml of the three packages, changing only what must change
	$(BIN)/uv pip compile pyproject.toml tlcourse/pyproject.toml tlgrade/pyproject.toml --all-extras \
	    --no-emit-package tlhelpers --universal --python-version 3.10 --no-python-downloads \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins" --quiet -o requirements.txt

clean:  ## remove results and caches; keep .venv
	rm -rf results build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +
