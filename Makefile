PYTHON ?= python3
PIP = .venv/bin/python -m pip install --quiet --constraint constraints.txt

.PHONY: quickstart test test-slow test-services test-all check fix bench docs

quickstart: .venv/lab  # real text to a scored forecast, in one command
	.venv/bin/allometry quickstart

test: .venv/test  # the default suite on two cores: under 3 minutes, no network, no GPU
	.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: .venv/test  # what takes longer: kill -9 at random moments, a browser
	.venv/bin/pytest -m "slow and not gpu"

test-services: .venv/services  # on a real Ray and a real Slurm, which it installs and starts (Debian, as root)
	tests/services/slurm.sh run .venv/bin/pytest tests/services -m "services and not slow"

test-all: test-slow test-services

check: .venv/test  # lint, types, layers, generated docs
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
	.venv/bin/lint-imports && .venv/bin/python docs/generate.py --check

fix: .venv/test
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .

bench: .venv/test
	for benchmark in benchmarks/*.py; do .venv/bin/python $$benchmark || exit 1; done

docs: .venv/test
	.venv/bin/python docs/generate.py

.venv/lab .venv/test .venv/services: pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) --editable '.[$(@F)]' && touch $@
