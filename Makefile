# Each target sets up what it needs: `make train` on a fresh clone builds .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help train test serve check bench bench-full pretrained docs lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

train: $(READY) ## train the default recipe on MNIST; the run, its report and its model land in runs/
	@$(BIN)/deepmnist train $(ARGS)

test: $(READY) ## run the tests; with ARGS="-m ''" those too that start clusters, some minutes more
	@$(BIN)/python -m pytest $(ARGS)

serve: $(READY) ## serve the model that comes along, with the page to draw on, at 127.0.0.1:8000
	@$(BIN)/deepmnist serve $(ARGS)

check: $(READY) ## lint, types and tests: what has to pass before a commit
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/python -m pytest

bench: $(READY) ## measure fast, balanced, start-up and exports in a quarter of an hour; writes the pages' figures anew
	@$(BIN)/python -m benchmarks.recipes $(ARGS) && $(BIN)/python -m benchmarks.startup
	@$(BIN)/python -m benchmarks.exports --rounds 5
	@$(BIN)/python -m benchmarks.tables

bench-full: $(READY) ## install the other runtimes and measure all that MNIST is enough for, in hours; killed and started again, it goes on
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[bench]' || echo "warning: without a network what is not installed is left out" >&2
	@$(BIN)/python -m benchmarks.full $(ARGS); status=$$?; $(BIN)/python -m benchmarks.tables && exit $$status

pretrained: $(READY) ## make the model that comes along anew: made pictures, then training
	@$(BIN)/python -m deepmnist.pretraining $(ARGS)

docs: $(READY) ## write docs/cli.md and docs/http.md anew, from --help and the service's description
	@$(BIN)/python docs/generate_cli.py && $(BIN)/python docs/generate_http.py

lock: $(READY) ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra export --extra serve --extra cluster --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-header --quiet --upgrade -o requirements.lock

clean: ## remove the virtual environment
	@rm -rf $(VENV)

# The stamp is older than the lock when the lock has changed: the environment is then built anew.
$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("error: deepmnist needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d; name another with: make PYTHON=python3.12 ..." % v)'
	@echo "Setting up $(VENV) from requirements.lock; this takes a minute or two, once."
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m deepmnist.page > /dev/null || echo "warning: the page will ask its server; try again with: $(BIN)/python -m deepmnist.page" >&2
	@touch $(READY)
