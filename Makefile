# Each target makes the environment that it needs: .venv with Airflow 3.3, .venv-2.11 with Airflow 2.11.
.DEFAULT_GOAL := help
.PHONY: help demo up test lint format environment environment-2.11 constraints clean

PY := .venv/bin/python
# Without a note on its successor. Material's end of life is in May 2027.
DOCS = NO_MKDOCS_2_WARNING=1 .venv-docs/bin
HELPERS = $(shell find tests -name '*.py' ! -name 'test_*' ! -name conftest.py)

help: ## this list
	@grep -E '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /  make \1|/' | column -t -s '|'

demo: environment ## three days of calls and recordings, out of the sandbox and into a warehouse table
	@$(PY) -m demo

up: environment ## Airflow's UI and the sandbox, to look around; Ctrl-C stops both
	@$(PY) -m demo.up

test: environment environment-2.11 ## the test suite, three files at a time: much of it is waiting
	$(PY) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: environment ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy -p benchmarks -p demo -p fuzz -p services -p soak -m noxfile
	$(PY) -m mypy $(HELPERS)

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
	@demo/pin docs constraints/docs.txt
	@$(PY) -m nox --session pins

clean: ## remove the environments and everything that demo, up, soak and fuzz made
	rm -rf .venv .venv-2.11 .venv-docs .venv-distributed .venv-distributed-2.11 .venv-warehouse .nox public .demo .fuzz .soak .up .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: docs docs-serve docs-commands docs-diagrams environment-docs

docs: environment-docs ## the documentation site, in public/: builds it, and checks its links; open public/index.html
	@$(DOCS)/mkdocs build --clean --quiet
	@$(DOCS)/python tests/docs/check_site.py public

docs-serve: environment-docs ## the documentation site, built anew whenever a page changes
	@$(DOCS)/mkdocs serve

docs-commands: environment ## every command of the documentation, from an empty machine on; takes minutes
	$(PY) -m pytest -m commands tests/docs -s $(ARGS)

docs-diagrams: environment-browser ## the documentation's diagrams anew; needs npm and Chromium
	@npm install --silent --no-save --prefix .venv-docs mermaid@11
	@PYTHONPATH=tests/browser $(PY) tests/docs/diagrams.py .venv-docs/node_modules/mermaid/dist/mermaid.min.js

environment-docs:
	@demo/environment .venv-docs constraints/docs.txt --group docs

.PHONY: bench-calls bench-recordings bench-imports

bench-calls: environment ## a call list onto disk, beside the floors and others; writes docs/performance.md
	@$(PY) -m benchmarks.calls --write docs/performance.md $(ARGS)

bench-recordings: environment ## recordings onto disk, likewise
	@$(PY) -m benchmarks.recordings --write docs/performance.md $(ARGS)

bench-imports: environment ## what parsing a DAG file costs, likewise
	@$(PY) -m benchmarks.imports --write docs/performance.md $(ARGS)

.PHONY: bench-rotation bench-triggers environment-browser test-browser test-cli test-dialects test-discover test-faults matrix test-waiting test-stores test-distributed test-deployment environment-distributed soak fuzz environment-warehouse test-warehouse bench-warehouse bench-scale test-stream bench-watchers

bench-rotation: environment ## one pair, hammered by many processes; ARGS="--mode naive|protocol|redis|airflow"
	@$(PY) -m benchmarks.rotation $(ARGS)

bench-triggers: environment ## many triggers on one loop, beside bare httpx, likewise
	@$(PY) -m benchmarks.triggers --write docs/performance.md $(ARGS)

bench-watchers: environment ## 200 watchers of new calls on one loop
	@$(PY) -m benchmarks.watchers $(ARGS)

test-dialects: environment ## servers that behave in every way that the API's text allows; takes minutes
	$(PY) -m pytest tests/dialects -m "dialects or not long" $(ARGS)

test-faults: environment environment-2.11 ## what networks, servers, files and machines do wrong; takes minutes
	$(PY) -m pytest tests/faults -m "long or not long" $(ARGS)
	FAULTS_TIMES=$(FAULTS_TIMES:%=%-2.11) .venv-2.11/bin/python -m pytest tests/faults -m "long or not long" $(ARGS)

matrix: environment ## every Airflow from 2.11 to 3.3, each with the versions of its time; takes a quarter of an hour
	$(PY) -m nox $(ARGS)

test-waiting: environment environment-2.11 ## tests of waiting and killed tasks under a real scheduler; takes minutes
	$(PY) -m pytest -m waiting $(ARGS)

test-stream: environment ## a day of calls within minutes, played: half an hour; STREAM_HOURS=2 takes a few minutes
	$(PY) -m pytest -m stream tests/system -s $(ARGS)

test-stores: environment ## landings, most in a real S3, killed or cut off, some at a hundred random points; takes minutes
	$(PY) -m pytest -m stores -s $(ARGS)

environment-distributed:
	@tests/distributed/environment .venv-distributed 3.3

test-distributed: environment-distributed ## Celery, two workers, Redis and PostgreSQL: 3,000 recordings over mapped tasks
	.venv-distributed/bin/python -m pytest -m distributed tests/distributed -s $(ARGS)

test-deployment: environment-distributed ## tasks that share a pair on Airflow 3.3 and 2.11; takes a quarter of an hour
	@tests/distributed/environment .venv-distributed-2.11 2.11
	.venv-distributed/bin/python -m pytest -m deployment tests/distributed -s $(ARGS)

environment-warehouse:
	@tests/warehouse/environment .venv-warehouse 3.3

test-warehouse: environment-warehouse ## loads into a real PostgreSQL, ClickHouse's engine and DuckDB; takes a quarter of an hour
	.venv-warehouse/bin/python -m pytest -m warehouse tests/warehouse -s $(ARGS)

bench-warehouse: environment-warehouse ## a day of 1,000,000 calls into each, beside its own fastest way; writes docs/warehouse.md
	@.venv-warehouse/bin/python -m benchmarks.warehouse --write docs/warehouse.md $(ARGS)

bench-scale: environment-distributed ## what a large deployment takes: unit costs, and a simulated day; writes docs/scale.md
	@.venv-distributed/bin/python -m benchmarks.scale --write docs/scale.md $(ARGS)

environment-browser: environment environment-2.11
	@$(PY) -c 'import playwright' 2>/dev/null || $(PY) -m pip install --quiet --constraint constraints/airflow-3.3.txt --editable '.[browser]'

test-browser: environment-browser docs ## Airflow's UI, and the built documentation, in a real Chromium; IMAGES=docs/images keeps the screenshots
	IMAGES=$(IMAGES) $(PY) -m pytest -m browser tests/browser $(ARGS)

test-cli: environment environment-2.11 ## commands as processes: Airflow's own and python -m, on 3.3 and 2.11
	$(PY) -m pytest -m cli tests/cli $(ARGS)

test-discover: environment environment-2.11 ## the daily DAG after discover alone, for servers of every kind, on 3.3 and 2.11; minutes
	$(PY) -m pytest -m discover tests/cli $(ARGS)
	.venv-2.11/bin/python -m pytest -m discover tests/cli -o filterwarnings=ignore $(ARGS)

soak: MINUTES ?= 60
soak: environment ## Airflow under a failing API and with killed tasks, for MINUTES=60; then all that landed is counted
	@$(PY) -m soak --minutes $(MINUTES) $(ARGS)

fuzz: MINUTES ?= 1
fuzz: environment ## what a server sends, at random, into its readers; MINUTES=1 for each; ARGS="rows head" for some
	@$(PY) -c 'import atheris' 2>/dev/null || $(PY) -m pip install --quiet --constraint constraints/airflow-3.3.txt --editable '.[fuzz]'
	@$(PY) -m fuzz --minutes $(MINUTES) $(ARGS)
