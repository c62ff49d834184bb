.PHONY: help demo check wheel coverage test-data test-slow bench reliability docs format
PYTHON ?= python3
BIN := .venv/bin
# Where this is set, every process compiles torch's sources anew, for longer than most of ours take.
unexport PYTHONDONTWRITEBYTECODE

help:            ## say what can be made
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 16

.venv/ready: requirements.txt requirements-oracles.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps -r requirements.txt -r requirements-oracles.txt
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: .venv/ready  ## train four networks on digits, attack them, print a table, write runs/demo/report.html
	$(BIN)/holdfast reproduce demo --folder runs/demo

check: .venv/ready ## format, lint, types, tests, the wheel by itself: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) --no-print-directory wheel
	$(BIN)/pytest -n 2 --dist worksteal --durations 15

EMPTY := dist/empty
wheel: .venv/ready ## install the wheel with nothing but its base dependencies, and try it
	rm -rf dist
	$(BIN)/python -m uv build --quiet --wheel --out-dir dist
	$(BIN)/python -m uv venv --quiet --python $(BIN)/python $(EMPTY)
	$(BIN)/python -m uv pip install --quiet --python $(EMPTY)/bin/python --constraint requirements.txt dist/*.whl
	PYTHONPATH= $(EMPTY)/bin/holdfast --version
	PYTHONPATH= $(EMPTY)/bin/holdfast list > dist/list
	PYTHONPATH= $(EMPTY)/bin/holdfast audit tests/nearest_means.py:network --threat.eps 0.1 --effort fast --limit 20 \
		--require 0.5 --folder dist/audit
	rm -rf dist

coverage: .venv/ready ## the tests again, the lines they leave out, and a floor under their share; a third slower than the tests alone
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

format: .venv/ready ## mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-data: .venv/ready ## the tests that need real data under $HOLDFAST_DATA
	$(BIN)/pytest -m data

test-slow: .venv/ready ## the tests that take long
	$(BIN)/pytest -m slow

bench: .venv/ready ## images a second beside the bare floor, torchattacks and foolbox
	$(BIN)/python benchmarks/attacks.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/single_steps.py
	$(BIN)/python benchmarks/parity.py

reliability: .venv/ready ## kill, damage and fuzz holdfast: the figures of docs/reliability.md (about two hours)
	$(BIN)/python benchmarks/reliability/kills.py --count 200
	$(BIN)/python benchmarks/reliability/damage.py --count 500
	$(BIN)/python benchmarks/reliability/hostile_files.py --count 300
	$(BIN)/python benchmarks/reliability/command_lines.py --count 600
	$(BIN)/python benchmarks/reliability/api.py --count 700

docs: .venv/ready  ## print the measured tables of runs/papers as Markdown
	$(BIN)/holdfast report runs/papers --format markdown
