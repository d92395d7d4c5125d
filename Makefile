# Everything runs in .venv, which is made when it is first needed and again when pyproject.toml has changed.

PYTHON ?= python3
# How many processes share the tests that start no Ray; each takes about 1.5 GB.
JOBS ?= 2
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install test test-gpu test-chaos test-cluster check demo gpu-cifar clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with greenexp and what its tests need

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

# One thread each: tests share the cores with the trials they start.
test test-gpu test-chaos test-cluster: export OMP_NUM_THREADS = 1

# What starts Ray runs apart, as it takes the cores for itself; a process takes whole files, for their fixtures' sake.
test: $(INSTALLED) ## run all tests that need no GPU, also the slow ones and those that start Ray
	$(BIN)/python -m pytest -m 'not gpu and not cluster' --numprocesses $(JOBS) --dist loadfile --durations 15; apart=$$?; \
	$(BIN)/python -m pytest -m 'cluster and not gpu' --numprocesses $(JOBS) --dist loadfile --durations 25 && exit $$apart

test-gpu: $(INSTALLED) ## run the tests that need an NVIDIA GPU
	$(BIN)/python -m pytest -m gpu

test-chaos: $(INSTALLED) ## kill sweeps 20 times at random moments and compare them with undisturbed ones
	$(BIN)/python tests/faults/chaos.py

test-cluster: $(INSTALLED) ## faults on a cluster of three hosts, which needs root for network namespaces (about 10 minutes)
	$(BIN)/python tests/faults/cluster.py
	$(BIN)/python tests/faults/growing.py

check: $(INSTALLED) ## lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

demo: $(INSTALLED) ## run the quickstart sweep (real text, real weights) from its file to its report
	$(BIN)/greenexp run quickstart --fresh
	@echo
	@echo 'Next: open out/quickstart/report.html, then'
	@echo '  $(BIN)/greenexp status            where the sweep stands and what it used'
	@echo '  $(BIN)/greenexp logs c000-i0-o0   what its first trial logged'
	@echo '  $(BIN)/greenexp plan FILE         what a sweep file of your own would run (docs/sweep-file.md)'

gpu-cifar: $(INSTALLED) ## train ResNet-56 with exits on CIFAR-10 in full on a GPU (never run so far); again: it goes on
	$(BIN)/greenexp run cifar $$(test -e out/cifar/journal.jsonl && echo --resume)

clean: ## remove .venv, builds and caches; results in out/ stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
