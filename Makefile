# Needs Python 3.11, 3.12 or 3.13, a C compiler and make; everything else goes into .venv.

VERSIONS := 3.11 3.12 3.13
# The first of them that runs: a name on the path may belong to a Python that isn't there.
PYTHON ?= $(firstword $(foreach one,$(VERSIONS),$(shell python$(one) -c "print('python$(one)')" 2>/dev/null)))
FOUND = test -n "$(PYTHON)" && $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { echo \
    "There is no Python of $(VERSIONS) by the name $(or $(PYTHON),python...); install one, or name it: make PYTHON=PATH" >&2; exit 1; }
VENV ?= .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# PyTorch's builds for the CPU: what PyPI has for Linux brings gigabytes of CUDA. `make demo TORCH_INDEX=` takes PyPI's.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TYPED := build/typed

.PHONY: demo test lint docs matrix clean

demo: $(VENV)/.installed
	$(BIN)/dgqc demo

test: $(VENV)/.installed-for-tests
	# A file's tests stay together, since they share what is compiled for them; who is ready first takes from the other.
	# Two threads that spin while they wait would take each other's processors.
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.installed-for-tests
	$(BIN)/ruff check .
	# Type checkers don't follow an editable install's import hook, so they get a plain one.
	rm -rf $(TYPED) build/lib
	$(BIN)/python -m pip install --quiet --no-deps --target $(TYPED) .
	rm -rf build/lib
	cd $(TYPED) && MYPYPATH=$(CURDIR)/examples/microcontroller:$(CURDIR)/examples/microcontroller_text $(abspath $(BIN))/mypy \
	    --config-file $(CURDIR)/pyproject.toml -p dgqc -p digits -p scenes

# The site, in build/site; a warning fails. Docstrings are read from a plain install, as in lint.
docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	rm -rf $(TYPED) build/lib
	$(BIN)/python -m pip install --quiet --no-deps --target $(TYPED) .
	rm -rf build/lib
	$(BIN)/python docs/gather_site.py build/site-source
	$(BIN)/mkdocs build --strict --quiet

# The oldest and the newest packages that we allow, each in a fresh environment: up to 2 GB for one at a time (7 with
# PyPI's torch), half an hour. ENVIRONMENTS chooses some; here-oldest alone takes what .venv has.
HERE := $(filter here-oldest,$(ENVIRONMENTS))
matrix: $(if $(HERE),$(VENV)/.installed)
	@$(FOUND)
	$(if $(HERE),$(BIN)/python,$(PYTHON)) tests/matrix.py $(ENVIRONMENTS) $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

# Torch goes first, at a fixed version, so that it is the CPU build that everything else finds; what it needs itself
# comes with the rest, so that an index that can't be reached is asked for one package and not for ten.
$(VENV)/.installed: pyproject.toml
	@$(FOUND)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps $(TORCH) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test,lint]'
	# Tests of the MLIR backend skip, and say so, where there are no wheels of torch-mlir and IREE.
	-$(BIN)/python -m pip install --quiet --editable '.[iree]'
	touch $@

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache
