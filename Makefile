# The way in: `make run` starts Clew, `make test` checks everything. Both install what they need.

# CI must build exactly what was reviewed; elsewhere cargo may complete the lock file.
LOCKED := $(if $(CI),--locked)
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test demo bench fuzz fmt setup-build setup-test check-fmt check-lint check-tidy \
	check-scripts check-deny check-docs check-tests

help: ## List these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: setup-build ## Build Clew and start it: sensor, engine, store and page (ARGS="--json")
	cargo run --release $(LOCKED) --package clew-cli -- run $(ARGS)

test: setup-test check-fmt check-tidy check-scripts check-deny check-lint check-docs check-tests ## Run every check and test

demo: setup-test ## Attack one of the lab's applications and show the story (SCENARIO=ssrf ARGS="--keep")
	lab/scenario $(or $(SCENARIO),ssrf) $(ARGS)

bench: setup-build ## Run the benchmarks and print figures and ratios (ARGS="engine")
	cargo xtask bench $(ARGS)

fuzz: setup-build ## Feed each decoder with inputs that are almost right (SECONDS=60)
	cargo run --release -p clew-decode --example fuzz -- $(or $(SECONDS),60)

fmt: ## Format the Rust sources and write the generated files
	cargo fmt --all
	cargo xtask codegen

setup-build:
	@scripts/setup build

setup-test:
	@scripts/setup test

check-fmt:
	cargo fmt --all --check

check-tidy:
	cargo xtask tidy

check-lint:
	cargo clippy --workspace --all-targets $(LOCKED) -- -D warnings

check-scripts:
	scripts/check-scripts

check-docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet $(LOCKED)

check-deny:
	scripts/deny

check-tests:
	scripts/check-tests --workspace $(LOCKED)
