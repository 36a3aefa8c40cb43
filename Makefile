# Needs Python 3.11, a C compiler and make; everything else goes into .venv.

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
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

# The oldest and the newest packages that we allow, each in a fresh environment: up to 7 GB for one at a time, half an
# hour. TORCH_INDEX=https://download.pytorch.org/whl/cpu takes PyTorch's CPU builds; ENVIRONMENTS chooses some.
matrix: $(VENV)/.installed
	$(BIN)/python tests/matrix.py $(ENVIRONMENTS) $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

# Torch goes first, at a fixed version, so that it is the CPU build that everything else finds.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test,lint]'
	# Tests of the MLIR backend skip, and say so, where there are no wheels of torch-mlir and IREE.
	-$(BIN)/python -m pip install --quiet --editable '.[iree]'
	touch $@

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache
