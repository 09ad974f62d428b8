# Everything that one does with a checkout. `make help` lists it; CONTRIBUTING.md says more.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Outside of the checkout, so that a second clone finds the dependencies built (8 minutes on two cores).
CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sluice/target
export CARGO_TARGET_DIR

SLUICE := $(CARGO_TARGET_DIR)/debug/sluice
CARGO ?= cargo
# Everything is built with --locked: the versions are those of Cargo.lock. And always for the whole workspace: a
# dependency's features depend on the packages that are chosen, and another choice would build it once more.
LOCKED := --locked

# How long each fuzz target runs.
FUZZ_SECONDS ?= 60

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## build host and plugins, run the quickstart, print its tables (first time about 15 minutes)
	@scripts/demo.sh

.PHONY: quick
quick: toolchain ## format, lints, unit tests, recorded logs; no server, no network; 2 minutes when warm
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) --workspace --test it -- -D warnings
	$(CARGO) test $(LOCKED) --workspace --quiet

.PHONY: test
test: quick plugins servers readers ## all of it: quick, a fuzzer, then real servers, real readers, kills (20 minutes)
	scripts/fuzz.sh $(FUZZ_SECONDS)
	$(CARGO) build $(LOCKED) --workspace --bin sluice
	scripts/sdks.sh check rust go c
	SLUICE_BIN=$(SLUICE) $(CARGO) test $(LOCKED) --workspace --test it

.PHONY: corpus
corpus: readers plugins ## CORPUS=dir: every recorded scenario of a folder through the host, compared with its expected rows
	$(CARGO) build $(LOCKED) --workspace --bin sluice
	SLUICE_BIN=$(SLUICE) "$$(scripts/readers.sh)" tests/corpus.py "$${CORPUS:-tests/fixtures/corpus}" $(ONLY)

.PHONY: build
build: toolchain plugins ## the host as target/bin/sluice, the plugins as target/plugins/*.wasm
	$(CARGO) build $(LOCKED) --workspace --bin sluice
	@mkdir -p target/bin
	@ln -f $(SLUICE) target/bin/sluice 2>/dev/null || cp $(SLUICE) target/bin/sluice

.PHONY: plugins
plugins: toolchain ## the bundled plugins and the hostile guests as target/plugins/*.wasm
	@scripts/plugins.sh

.PHONY: sdks
sdks: toolchain ## LANGUAGES="go c": every SDK built and compared on the recorded shop; fetches the languages' tools
	$(CARGO) build $(LOCKED) --workspace --bin sluice
	scripts/sdks.sh check $(LANGUAGES)

.PHONY: fuzz
fuzz: toolchain ## FUZZ_SECONDS=n: any bytes into every decoder of the source, n seconds each; needs a C++ compiler
	$(CARGO) clippy $(LOCKED) --workspace --features sluice-fuzz/libfuzzer --bin fuzz -- -D warnings
	scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: bench
bench: plugins readers ## the figures that the project promises, with their reach; writes target/bench/summary.json
	$(CARGO) build $(LOCKED) --workspace --bin sluice --bin bench
	SLUICE_BIN=$(SLUICE) $(CARGO_TARGET_DIR)/debug/bench

.PHONY: fmt
fmt: ## format the Rust code
	$(CARGO) fmt --all

.PHONY: clean
clean: ## remove what the checkout holds of builds and demos (the shared cache stays)
	rm -rf target
	@echo "the builds shared by all clones stay in $(CARGO_TARGET_DIR)"

.PHONY: toolchain
toolchain:
	@scripts/toolchain.sh check

.PHONY: servers
servers:
	@[[ -n "$${SLUICE_TEST_MYSQL:-}" ]] || scripts/servers.sh fetch mysql-9.7
	@[[ -n "$${SLUICE_TEST_MARIADB:-}" ]] || scripts/servers.sh fetch mariadb-11.8

.PHONY: readers
readers:
	@scripts/readers.sh
