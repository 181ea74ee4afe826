# The two commands that matter: `make demo` and `make test`. Each sets up all that it needs in .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PROTOS := $(wildcard protos/apg/*/v*/*.proto)

.PHONY: help demo test check proto protoc proto-check format lock bench bench-quick bench-xds picture clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 18

demo: $(BIN)/.run-ready  ## Start a small mesh with a real Envoy, change it by a sentence, measure the result
	$(BIN)/apg demo

test: $(BIN)/.dev-ready  ## Run all tests, with real Envoys
	$(BIN)/python -m pytest -n 2 --dist loadgroup --max-worker-restart 0

check: $(BIN)/.dev-ready proto-check  ## ruff, mypy --strict, lint-imports, drift of generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(BIN)/.dev-ready  ## Let ruff format and fix what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

proto: $(BIN)/.dev-ready protoc  ## Generate Python code from protos/

protoc:
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m grpc_tools.protoc -I . \
	  --python_out=. --mypy_out=quiet:. --grpc_python_out=. --mypy_grpc_out=quiet:. $(PROTOS)
	@rm -f protos/apg/xds/v3/*_pb2_grpc.py*   # the xDS services are served from bytes: xds/server.py

proto-check: $(BIN)/.dev-ready
	$(BIN)/python tests/proto_drift.py

lock: $(BIN)/.dev-ready  ## Pin all dependencies anew
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-annotate --no-header \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-annotate --no-header \
	  --custom-compile-command "make lock" pyproject.toml --group dev -c requirements/run.lock -o requirements/dev.lock

picture: $(BIN)/.run-ready  ## Draw docs/demo.svg from a real run of the demo
	$(BIN)/python -m controlplane.demo.picture docs/demo.svg

bench-xds: $(BIN)/.dev-ready  ## Measure the xDS fan-out, beside go-control-plane where Go is installed
	$(BIN)/python -m benchmarks fanout --json bench-xds.json

bench: $(BIN)/.dev-ready  ## Run all benchmarks, for two hours, and make their report in bench-results/
	$(BIN)/python -m benchmarks all

bench-quick: $(BIN)/.dev-ready  ## Run all benchmarks at their smallest, to show that they work
	$(BIN)/python -m benchmarks all --quick --to bench-results/quick

clean:  ## Remove everything that these commands made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .apg

$(BIN)/.venv-ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "APG Mesh needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(BIN)/.run-ready: $(BIN)/.venv-ready requirements/run.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(BIN)/.dev-ready: $(BIN)/.run-ready requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@
