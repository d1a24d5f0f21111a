# Everything one does with this checkout. Each target first installs what it lacks (scripts/setup.sh).
# Sources never carry -D warnings, `make lint` adds it. Cargo always sees the whole workspace: building one package
# alone picks other features and compiles the dependencies again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/.tools/bin:$(PATH)
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

ifeq ($(CI),true)
export CARGO_TERM_COLOR := never
export CARGO_TERM_PROGRESS_WHEN := never
export NO_COLOR := 1
endif

.PHONY: help demo up test lint bench build fmt advisories

help: ## lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: ## plays the main job on real input, prints what happened with latencies, and ends
	@scripts/setup.sh run
	$(CARGO) build --workspace --locked
	@exec $(TARGET)/debug/demo

up: ## starts all services with the demo's subsidiaries set up, prints where they are, and stays until Ctrl-C
	@scripts/setup.sh run
	$(CARGO) build --workspace --locked
	@exec $(TARGET)/debug/demo up

test: ## runs every test; TEST='name' runs those with that name
	@scripts/setup.sh test
	$(CARGO) nextest run --workspace --locked $(TEST)

lint: ## checks formatting, clippy, protos, and what the dependencies may be
	@scripts/setup.sh lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	buf lint
	buf format --diff --exit-code
	@$(MAKE) breaking
	$(CARGO) deny --locked check --hide-inclusion-graph bans licenses sources

# The protos of main are the promise; of origin's main, where there is one, because the local branch may be ahead of it.
.PHONY: breaking
breaking:
	@base=main; \
	if git rev-parse -q --verify origin/main >/dev/null; then base=origin/main; fi; \
	if git cat-file -e "$$base:proto" 2>/dev/null && git cat-file -e "$$base:buf.yaml" 2>/dev/null; then \
		echo "buf breaking against $$base"; \
		buf breaking --against ".git#ref=$$(git rev-parse "$$base")"; \
	else \
		echo "buf breaking skipped: $$base has no proto tree to compare with"; \
	fi

bench: ## measures the goals, one JSON line each; GOALS=lead_capture,relay runs some, QUICK=1 one round each
	@scripts/setup.sh bench
	$(CARGO) build --workspace --release --locked --bin bench
	@$(TARGET)/release/bench $(if $(GOALS),--goals "$(GOALS)") $(if $(QUICK),--quick)

build: ## builds every program for debugging
	$(CARGO) build --workspace --locked

fmt: ## formats Rust and protos in place
	@scripts/setup.sh lint
	$(CARGO) fmt --all
	buf format --write

advisories: ## asks the advisory database for known vulnerabilities (needs the network)
	@scripts/setup.sh lint
	$(CARGO) deny --locked check advisories
