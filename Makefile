# What a person types. Each command installs what it needs and says so (scripts/bootstrap.sh).
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run watch build test test-unit test-e2e test-faults fuzz fuzz-api test-openapi bench bench-check bench-gateway bench-hostile bench-http bench-nodes bench-scale fmt lint deny clean

help: ## What there is to type
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start Latchkey at http://127.0.0.1:3000
	@exec scripts/run.sh

watch: ## The same, rebuilt and reloaded on every change (cargo-leptos)
	@exec scripts/watch.sh

build: ## One optimised binary with the site inside: target/release/latchkey
	@exec scripts/build.sh

test: ## Everything: format, lints, units, storage on SQLite and PostgreSQL, Chromium
	@exec scripts/test.sh all

test-unit: ## Unit and storage tests only
	@exec scripts/test.sh unit

test-faults: ## Three nodes, and everything around them breaks again and again (FAULTS=10 times)
	@LATCHKEY_FAULTS=$(or $(FAULTS),10) exec scripts/test.sh faults

fuzz: ## Feed each parser of outside input mutated bytes for a minute (FUZZ=60 seconds each)
	@scripts/bootstrap.sh base && . scripts/env.sh && LATCHKEY_FUZZ_SECONDS=$(or $(FUZZ),60) \
		cargo test -p latchkey-server --test parsers -- --nocapture mutated

fuzz-api: ## Make up calls to a running server for ten minutes, and hold each answer against /openapi.json (FUZZ=600)
	@LATCHKEY_FUZZ_SECONDS=$(or $(FUZZ),600) exec scripts/test.sh fuzz-api

test-openapi: ## /openapi.json as linters, generators and generated clients read it
	@exec scripts/test.sh openapi

test-e2e: ## The product in Chromium only
	@exec scripts/test.sh e2e

bench: bench-check bench-http bench-gateway bench-nodes bench-scale bench-hostile ## All benches, one after the other

bench-check: ## What a check costs in the process
	@exec scripts/bench.sh check

bench-http: ## What a check costs over HTTP, beside a bare axum handler
	@exec scripts/bench.sh http

bench-hostile: ## What others notice of a flood of telemetry: revocations, checks
	@exec scripts/bench.sh hostile

bench-nodes: ## How soon a revocation holds on three nodes
	@exec scripts/bench.sh nodes

bench-scale: ## Whether the ten-millionth key is as quick as the first
	@exec scripts/bench.sh scale

bench-gateway: ## What the gateway adds to a call: latency, throughput, processor time
	@exec scripts/bench.sh gateway

fmt: ## Format the Rust code
	@. scripts/env.sh && cargo fmt --all

lint: ## Clippy for the server and for the page
	@exec scripts/test.sh lint

deny: ## Dependencies: unused ones, licences, versions, sources, advisories (cargo-machete, cargo-deny)
	@scripts/test.sh deps && . scripts/env.sh && cargo deny check advisories # Last: it wants the network.

clean: ## Remove everything that was built (tools in ~/.cache/latchkey stay)
	rm -rf target style/node_modules end2end/node_modules end2end/openapi/node_modules end2end/test-results end2end/playwright-report end2end/screenshots
