# Every target builds .venv by itself; PYTHON chooses the interpreter it is built from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where real data lies, if it is there.
DATA ?= $(or $(PANCOMMONS_TEST_DATA),../shared/data)

.PHONY: install demo test soak lint bench docs constraints clean

install: $(VENV)/installed $(VENV)/viewer
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dask,nexus-definitions,notebook]"
	touch $@

# The viewer of HDF5 files and htmx are made by npm; without it pages show what the server draws.
WEB := $(wildcard web/src/* web/src/*/*) web/package-lock.json web/vite.config.ts web/tsconfig.json
$(VENV)/viewer: $(VENV)/installed $(WEB)
	@if command -v npm >/dev/null && cd web && npm ci --silent --no-audit --no-fund && npm run --silent build -- --logLevel warn; \
	then touch ../$@; else echo "npm is not there, or failed: the portal goes without the viewer of HDF5 files."; fi

$(VENV)/developed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

$(VENV)/benchable: $(VENV)/developed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	touch $@

$(VENV)/documented: $(VENV)/developed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@

demo: install
	$(BIN)/pan demo --data "$(DATA)"

test: $(VENV)/developed $(VENV)/viewer
	$(BIN)/python -m pytest -q -n 2 -m "not soak" --durations=25

# What takes long, or all of the machine, one after the other.
soak: test $(VENV)/benchable
	$(BIN)/python -m pytest -m soak --durations=15
	$(BIN)/python -m benchmarks

lint: $(VENV)/developed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/benchable
	$(BIN)/python -m benchmarks

docs: $(VENV)/documented
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

# The constraints hold versions only, no download addresses.
constraints: $(VENV)/developed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --python-version 3.11 --all-extras pyproject.toml -o constraints.txt

clean:
	rm -rf $(VENV) web/node_modules src/pancommons/server/static/built docs/_build .pytest_cache .mypy_cache .ruff_cache
