# Each target makes the environment that it needs: .venv with Airflow 3.3, .venv-2.11 with Airflow 2.11.
.DEFAULT_GOAL := help
.PHONY: help demo up test lint format environment environment-2.11 constraints clean

PY := .venv/bin/python

help: ## this list
	@grep -E '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /  make \1|/' | column -t -s '|'

demo: environment ## three days of calls and recordings, out of the sandbox and into a warehouse table
	@$(PY) -m demo

up: environment ## Airflow's UI and the sandbox, to look around; Ctrl-C stops both
	@$(PY) -m demo.up

test: environment environment-2.11 ## the test suite
	$(PY) -m pytest $(ARGS)

lint: environment ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy demo

format: environment ## ruff's formatting
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

environment: ## .venv, with Airflow 3.3
	@demo/environment .venv constraints/airflow-3.3.txt

environment-2.11: ## .venv-2.11, with Airflow 2.11
	@demo/environment .venv-2.11 constraints/airflow-2.11.txt

constraints: environment ## pin the newest versions of everything anew
	@demo/pin 3.3.2 constraints/airflow-3.3.txt
	@demo/pin 2.11.2 constraints/airflow-2.11.txt

clean: ## remove the environments and everything that demo and up made
	rm -rf .venv .venv-2.11 .demo .up .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: bench-calls bench-recordings

bench-calls: environment ## a call list onto disk, beside the floors and others; writes docs/performance.md
	@$(PY) -m benchmarks.calls --write docs/performance.md $(ARGS)

bench-recordings: environment ## recordings onto disk, likewise
	@$(PY) -m benchmarks.recordings --write docs/performance.md $(ARGS)
