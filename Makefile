# `make help` lists what can be made. Every target makes the virtual environment .venv
# first when it is missing, or when the requirements have changed. PYTHON3 names
# another Python than the first in PATH that is new enough:
#
#     make PYTHON3=/usr/bin/python3.13 test
#
# Scripts in .venv/bin begin with an absolute path, which must not hold a space; so
# everything is started as "$(PYTHON)" -m module.

SHELL := /bin/sh
PYTHON := .venv/bin/python

# Handed on by the environment, so that no character in a path means anything to a
# shell. ARGS goes to pytest or to the bench as it stands: make test ARGS='-k store -x'.
export PYTHON3 CONF ARCH BOTO3

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-feed demo-logs demo-own run test check bench soak lambda docs \
	clean run-environment dev-environment

help:
	@echo 'make demo             a recorded feed through daemon and scanner: alerts in a minute'
	@echo 'make demo-feed        the same over a real websocket on loopback'
	@echo 'make demo-logs        the same names from two signed logs, one of which lies'
	@echo 'make demo-own         certificates of your own domains: alerts and a report in seconds'
	@echo 'make run CONF=FILE    the daemon with your settings, until Ctrl-C'
	@echo 'make test             all tests'
	@echo 'make check            format, lint, types, imports, generated docs'
	@echo 'make bench            side by side with the peer; fills the table of README.md'
	@echo 'make soak             the long tests, ten minutes each (SOAK_SECONDS=600)'
	@echo 'make lambda           build/lambda.zip for AWS Lambda (ARCH=arm64, BOTO3=1)'
	@echo 'make docs             write the generated pages and conf/example.conf anew'
	@echo 'make clean            remove .venv, caches and the output of the demo'
	@echo
	@echo 'PYTHON3=/path/to/python3.13 before or behind a target chooses the Python.'

run-environment:
	@sh scripts/environment.sh run

dev-environment:
	@sh scripts/environment.sh dev

demo: run-environment
	@"$(PYTHON)" -m scripts.demo replay

demo-feed: run-environment
	@"$(PYTHON)" -m scripts.demo feed

demo-logs: run-environment
	@"$(PYTHON)" -m scripts.demo logs

demo-own: run-environment
	@"$(PYTHON)" -m scripts.demo_own

run:
	@if [ -z "$$CONF" ]; then \
		echo 'make run needs a file of settings: make run CONF=my.conf' >&2; \
		echo 'To begin with: cp conf/example.conf my.conf, then edit my.conf' >&2; \
		exit 2; \
	fi
	@sh scripts/environment.sh run
	@exec "$(PYTHON)" certstreammonitor.py -c "$$CONF"

test: dev-environment
	@echo '== Tests, four at a time: most of them wait for somebody'
	@"$(PYTHON)" -m pytest -m 'not soak' -n 4 --dist worksteal $(ARGS)

check: dev-environment
	@echo '== Format (ruff format)'
	@"$(PYTHON)" -m ruff format --check .
	@echo '== Lint (ruff check)'
	@"$(PYTHON)" -m ruff check .
	@echo '== Types (mypy --strict)'
	@"$(PYTHON)" -m mypy
	@echo '== Direction of imports (import-linter)'
	@"$(PYTHON)" -c 'from importlinter.cli import lint_imports_command as run; run()'
	@echo '== Generated pages are those of the code'
	@"$(PYTHON)" -m scripts.docs --check
	@echo '== Documentation agrees with the code'
	@"$(PYTHON)" -m pytest -q tests/test_docs.py tests/architecture

bench: dev-environment
	@"$(PYTHON)" -m bench $(or $(ARGS),--readme)

soak: export SOAK_SECONDS ?= 600
soak: dev-environment
	@echo "== Long tests, $$SOAK_SECONDS s each"
	@"$(PYTHON)" -m pytest -o testpaths=tests/soak -m soak --timeout=0 -v $(ARGS)

lambda: run-environment
	@"$(PYTHON)" -m scripts.lambda_package

docs: run-environment
	@"$(PYTHON)" -m scripts.docs

clean:
	rm -rf .venv demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache ctmonitor.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
