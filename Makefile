# Each target works from a fresh clone: the virtual environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WEIGHTS := $(VENV)/.weights
MINUTES ?= 3
INPUTS ?= 200000
KILLS ?= 20

.PHONY: setup demo test test-one test-two check bench fuzz faults lock licences sbom clean

setup: $(READY) $(WEIGHTS)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "bianlian wants Python 3.11, 3.12 or 3.13, got %d.%d: make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(WEIGHTS): $(READY)
	$(BIN)/bianlian doctor --fetch
	touch $@

demo: setup
	$(BIN)/bianlian demo --minutes $(MINUTES) -o demo-out

# two halves side by side: most tests use one core
HALF = tests/actors tests/commands tests/model tests/score tests/train

test: setup
	$(MAKE) --no-print-directory --keep-going --jobs=2 test-one test-two

test-one:
	$(BIN)/python -m pytest $(HALF)

test-two:
	$(BIN)/python -m pytest $(addprefix --ignore=,$(HALF))

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: setup
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# make fuzz INPUTS=1000000: bent files of every kind, until the total is reached; prints it
fuzz: setup
	$(BIN)/python tests/fuzz/fuzz_run.py --inputs $(INPUTS)

# make faults KILLS=100: SIGKILL at random moments, so many times a command
faults: setup
	BIANLIAN_KILLS=$(KILLS) $(BIN)/python -m pytest tests/faceset/test_extraction_killed.py tests/train/test_train_killed.py \
	  tests/swap/test_swap_killed.py

lock: setup
	$(BIN)/python bench/tools/lock.py

licences: setup
	$(BIN)/python bench/tools/licences.py

sbom: setup
	$(BIN)/python bench/tools/sbom.py sbom.cdx.json

clean:
	rm -rf $(VENV) build dist demo-out .pytest_cache .mypy_cache .ruff_cache
