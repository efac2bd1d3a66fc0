# Everything runs in .venv, made from the hashed lock in requirements/. Needs Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
UV := .cache/bootstrap/bin/uv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
WORKERS ?= 2
# COVERAGE=1 measures the lines that the tests reach; it makes them take two thirds longer.
COVERAGE ?=
# LightGBM's threads must sleep when idle, and one is enough in tests.
TEST_ENV := OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONHASHSEED=0

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-spark test-spark-slow torture check fix bench bench-accuracy bench-prospects bench-recovery docs lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(READY) ## Make .venv from the lock

$(UV): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "clv needs Python >= 3.11; found `$(PYTHON) --version`. Set PYTHON=/path/to/python3.11."; exit 2; }
	@$(PYTHON) -m venv .cache/bootstrap
	@.cache/bootstrap/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $(UV)

$(READY): $(UV) requirements/main.txt pyproject.toml setup.py README.md
	@test -x $(RUN) || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --python $(RUN) --require-hashes --compile-bytecode requirements/main.txt
	@$(UV) pip install --quiet --python $(RUN) --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## Run the whole product on a synthetic company
	@$(VENV)/bin/clv demo

test: $(READY) ## Run all tests but the slow ones (COVERAGE=1: and say what they reach)
	@$(TEST_ENV) $(RUN) -m pytest -q -n $(WORKERS) --dist worksteal \
	  $(if $(COVERAGE),--cov --cov-report=term:skip-covered --cov-fail-under=90)

test-slow: $(READY) ## Run the recovery studies
	@$(TEST_ENV) $(RUN) -m pytest -q -n $(WORKERS) --dist worksteal -m "slow and not spark"

torture: $(READY) ## Kill runs at 50 moments each, feed 10,000 broken inputs
	@CLV_TORTURE_KILLS=50 CLV_TORTURE_COMMAND_KILLS=50 CLV_TORTURE_INTERRUPTS=7 CLV_TORTURE_LIMITS=1 \
	  CLV_TORTURE_INPUTS=10000 CLV_TORTURE_BUNDLES=3000 CLV_TORTURE_CELLS=10000 \
	  $(TEST_ENV) $(RUN) -m pytest -q -m slow tests/robustness
	@CLV_TORTURE_CASES=2000 $(TEST_ENV) $(RUN) -m pytest -q tests/unit/sources/test_records.py \
	  tests/unit/sources/test_json_records.py \
	  tests/laws/test_own_columns.py tests/laws/test_money.py \
	  tests/laws/test_event_time.py tests/unit/models/test_prospects.py \
	  tests/unit/sources/adapters/test_voice.py tests/unit/sources/adapters/test_cells.py \
	  tests/unit/sources/adapters/test_twice_is_once.py \
	  tests/unit/sources/test_matching.py tests/unit/models/test_calibration.py

SPARK := .venv-spark/bin/python

.venv-spark/.ready: $(UV) requirements/spark.txt pyproject.toml setup.py
	@test -x $(SPARK) || $(UV) venv --quiet --python $(PYTHON) .venv-spark
	@$(UV) pip sync --quiet --python $(SPARK) --require-hashes --compile-bytecode requirements/spark.txt
	@$(UV) pip install --quiet --python $(SPARK) --no-deps --no-build-isolation --editable .
	@touch .venv-spark/.ready

test-spark: .venv-spark/.ready ## Hold Spark to DuckDB's results (needs Java 17 or 21)
	@$(TEST_ENV) $(SPARK) -m pytest -q -m "spark and not slow" tests/spark

test-spark-slow: .venv-spark/.ready ## Hold Spark to DuckDB's result on three million events
	@$(TEST_ENV) $(SPARK) -m pytest -q -m "spark and slow" tests/spark

check: $(READY) ## Lint, types, direction of imports, inventory
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache > .cache/imports.txt || { cat .cache/imports.txt; exit 1; }
	@$(RUN) -m pytest -q -p no:randomly tests/architecture

fix: $(READY) ## Format, and fix what lint can fix
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: $(READY) ## Time clv against its peers, in one run each
	@for bench in tests/benchmarks/bench_*.py; do OMP_WAIT_POLICY=PASSIVE PYTHONPATH=. $(RUN) $$bench || exit 1; done

bench-accuracy: $(READY) ## Rolling backtests on real companies (CLV_REALDATA names their folder)
	@OMP_WAIT_POLICY=PASSIVE $(RUN) tests/benchmarks/accuracy.py

bench-prospects: $(READY) ## People who have not bought, and the headline, over 20 simulated companies
	@OMP_WAIT_POLICY=PASSIVE $(RUN) tests/benchmarks/prospects.py --customers 2000 --workers $(WORKERS)

bench-recovery: $(READY) ## Planted effects over 400 simulated companies, every method beside truth
	@PYTHONPATH=. $(RUN) tests/benchmarks/recovery.py --first 100 --seeds 400 --shap --workers $(WORKERS)

docs: $(READY) ## Build the documentation into .cache/docs, offline
	@$(RUN) -m sphinx -q -W --keep-going -b html docs .cache/docs

lock: $(UV) ## Renew requirements/ from pyproject.toml
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	  --extra dev --output-file requirements/main.txt pyproject.toml requirements/build.in
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	  --extra dev --extra spark --constraint requirements/main.txt \
	  --output-file requirements/spark.txt pyproject.toml requirements/build.in
	@echo uv | $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 --output-file requirements/bootstrap.txt -

clean: ## Remove .venv, caches and outputs
	@rm -rf $(VENV) .venv-spark .cache clv-out .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
