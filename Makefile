# What a person types. Each command installs what it needs and says so (scripts/bootstrap.sh).
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run watch build package test test-agents test-moving-in test-package test-unit test-upgrade test-e2e test-faults fuzz fuzz-api test-openapi bench bench-build bench-check bench-doors bench-gateway bench-hostile bench-http bench-import bench-nodes bench-scale fmt lint deny clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start Latchkey at http://127.0.0.1:3000
	@exec scripts/run.sh

watch: ## Like run, but rebuild and reload on every change (cargo-leptos)
	@exec scripts/watch.sh

build: ## Build one optimised binary that contains the site: target/release/latchkey
	@exec scripts/build.sh

package: ## Build the Debian package: target/package/ (TWICE=1 builds it twice and compares)
	@exec scripts/package.sh $(if $(TWICE),--twice)

test: ## Run everything: format, lints, unit and integration tests on SQLite and PostgreSQL, end-to-end tests
	@exec scripts/test.sh all

test-unit: ## Run the unit and integration tests only
	@exec scripts/test.sh unit

test-faults: ## Inject faults into a cluster of three nodes (FAULTS=10 times)
	@LATCHKEY_FAULTS=$(or $(FAULTS),10) exec scripts/test.sh faults

fuzz: ## Fuzz each parser of untrusted input for a minute (FUZZ=60 seconds each)
	@scripts/bootstrap.sh base && . scripts/env.sh && LATCHKEY_FUZZ_SECONDS=$(or $(FUZZ),60) \
		cargo test -p latchkey-server --test parsers -- --nocapture mutated

fuzz-api: ## Fuzz the API of a running server against /openapi.json for ten minutes (FUZZ=600)
	@LATCHKEY_FUZZ_SECONDS=$(or $(FUZZ),600) exec scripts/test.sh fuzz-api

test-openapi: ## Test /openapi.json with linters, generators and generated clients
	@exec scripts/test.sh openapi

test-agents: ## Run Codex, Claude Code and opencode against the gateway (installs 1 GB)
	@exec scripts/test.sh agents

test-moving-in: ## Move in from other key systems, run by their own packages (installs 1 GB)
	@exec scripts/moving-in.sh

test-upgrade: ## Upgrade from the release before, one node and several under load, and restore by Litestream
	@exec scripts/test-upgrade.sh

test-package: ## Install, upgrade and remove the Debian package in a bare Debian, and lint the Dockerfile (as root)
	@exec scripts/test-package.sh

test-e2e: ## Run the end-to-end tests in Chromium only
	@exec scripts/test.sh e2e

bench: bench-check bench-http bench-doors bench-gateway bench-import bench-nodes bench-scale bench-hostile ## Run all benchmarks, one after the other

bench-build: ## Measure builds and tests beside those of an older commit (hours)
	@exec scripts/bench-build.sh

bench-check: ## Measure a check in the process
	@exec scripts/bench.sh check

bench-doors: ## Measure forward authentication behind nginx, compared to none, to bare axum and to others
	@exec scripts/bench.sh doors

bench-http: ## Measure a check over HTTP, compared to a bare axum handler
	@exec scripts/bench.sh http

bench-hostile: ## Measure checks and revocations of other tenants under a flood of telemetry
	@exec scripts/bench.sh hostile

bench-import: ## Measure how fast keys are imported, and what that costs checks
	@exec scripts/bench.sh import

bench-nodes: ## Measure how soon a revocation, disabling and enabling take effect on three nodes
	@exec scripts/bench.sh nodes

bench-scale: ## Measure checks with ten million keys
	@exec scripts/bench.sh scale

bench-gateway: ## Measure the gateway: latency, throughput, CPU time and memory, beside an earlier build and proxies
	@exec scripts/bench.sh gateway

fmt: ## Format the Rust code
	@. scripts/env.sh && cargo fmt --all

lint: ## Lint the server and the site (clippy)
	@exec scripts/test.sh lint

deny: ## Check dependencies: unused ones, licences, versions, sources, advisories (cargo-machete, cargo-deny)
	@scripts/test.sh deps && . scripts/env.sh && cargo deny check advisories # Last: it wants the network.

clean: ## Remove all build output (keeps the tools in ~/.cache/latchkey)
	rm -rf target bench/peers/better-auth/node_modules style/node_modules end2end/node_modules end2end/openapi/node_modules end2end/middleware/node_modules end2end/agents/node_modules end2end/moving-in/node_modules end2end/test-results end2end/playwright-report end2end/screenshots
