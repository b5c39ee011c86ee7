# One word each; `make help` lists them. The same lines without make stand in docs/using.md.

PYTHON ?= python3
FRAMEWORK ?= both
DATASET ?= drawn_pets
LESSON_LANGUAGE ?= en

BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
# Adds what .venv lacks; where it lacks nothing, that takes a tenth of a second.
SETUP := @$(PYTHON) scripts/setup.py

.PHONY: help .venv demo test test-all lint notebooks render bench pins clean

help:  ## list the targets
	@grep -hE '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /:/' | awk -F: '{printf "make %-10s %s\n", $$1, $$2}'

.venv:  ## the environment, with everything
	$(SETUP)

demo:  ## the lesson (FRAMEWORK=pytorch or tensorflow for one alone, DATASET=cats_vs_dogs, LESSON_LANGUAGE=es)
	$(SETUP) --extras $(FRAMEWORK:both=pytorch,tensorflow),lab
	$(BIN)/tlcourse demo --framework $(FRAMEWORK) --dataset $(DATASET) --language $(LESSON_LANGUAGE)

test: .venv  ## the suite; each lesson in both frameworks (with TLHELPERS_DATA also on real photos)
	$(BIN)/python scripts/test.py

test-all: .venv  ## the same, with the slow tests and every notebook in both languages
	$(BIN)/python scripts/test.py --all

lint:  ## style, notebooks against their sources, workflows
	$(SETUP) --extras lab,dev
	$(BIN)/python scripts/lint.py

notebooks:  ## build all notebooks and run them on the sample
	$(SETUP) --extras pytorch,tensorflow,lab
	$(BIN)/tlcourse build --execute

render:  ## notebooks/ as HTML in results/html
	$(SETUP) --extras lab
	$(BIN)/python scripts/render.py

bench: .venv  ## the speed ratios that the course promises
	$(BIN)/python benchmarks/run.py

pins:  ## uv.lock from the pyproject.toml of the three packages, changing only what must change; requirements.txt from it
	$(SETUP) --extras lab
	$(BIN)/uv lock --default-index https://pypi.org/simple
	$(BIN)/uv export --frozen --all-packages --all-extras --no-hashes --no-emit-workspace --quiet \
	    -o requirements.txt

clean:  ## remove results and caches; keep .venv
	rm -rf results build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +
