# Each target does all the set-up that it needs, in a virtual environment of the checkout (.venv).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-output

.PHONY: demo test test-all check clean

$(VENV)/ready: pyproject.toml setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# Train, export in both formats, verify, label a picture, measure: about five minutes on two cores.
demo: $(VENV)/ready
	rm -rf $(DEMO)
	$(BIN)/zoo train resnet --size small --data digits --epochs 8 --out $(DEMO)/run
	$(BIN)/zoo evaluate $(DEMO)/run --out $(DEMO)/evaluation
	$(BIN)/zoo export $(DEMO)/run --out $(DEMO)/artifact
	$(BIN)/zoo verify $(DEMO)/artifact
	$(BIN)/zoo benchmark $(DEMO)/artifact --runtime onnx,saved_model

# ruff, mypy, and the tests that prove behaviour.
test: check
	$(BIN)/python -m pytest

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --target build/installed .
	MYPYPATH=build/installed $(BIN)/mypy --package zoo

# Every network at 224 pixels through both exports and every gate.
test-all: check
	$(BIN)/python -m pytest --full

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
