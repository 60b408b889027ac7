# Everything a newcomer needs: `make quickstart`, `make test`. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: quickstart test lint docs clean

quickstart: $(VENV)/.demo
	$(BIN)/t2t train --gin_file=quickstart.gin

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck .ci/run tools/launch/slurm.sbatch

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# One stamp per extra, so that an unchanged installation is not repeated.
$(VENV)/.%: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) dist build site
