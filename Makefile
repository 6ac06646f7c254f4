# `make` lists what there is. All of it works from a fresh clone: what is missing is fetched and built first, into
# .build and target (Debian's packages by apt).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help all demo demo-stop test sanitize fuzz install package bench fmt lint doc clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## private PostgreSQL with the extension, real embeddings, similarity search, sizes
	@scripts/demo

demo-stop: ## stop the demonstration's server and remove its folder
	@scripts/demo stop

test: ## all tests; SUITES="crates golden18" or TESTS="name" for some of them
	@scripts/test $(SUITES)

sanitize: ## AddressSanitizer, Miri and valgrind, as far as they are here; TOOLS="address" for one of them
	@scripts/sanitize $(TOOLS)

fuzz: ## fuzz targets under libFuzzer; TARGET=ztensor SECONDS=600 for one of them
	@scripts/fuzz "$(or $(TARGET),all)" "$(or $(SECONDS),60)"

all: ## release build for the server of PG_CONFIG, for a later `make install`
	@PG_CONFIG="$(PG_CONFIG)" scripts/install --build

install: ## release build into the server of PG_CONFIG=/path/to/pg_config
	@PG_CONFIG="$(PG_CONFIG)" scripts/install

package: ## tarball, and Debian package for Debian's server, into dist/; PG_CONFIG=/path/to/pg_config
	@PG_CONFIG="$(PG_CONFIG)" scripts/package

bench: ## exact scans beside pgvector, and the kernels; ROWS=100000 DIMS=1536 QUERIES=20
	@ROWS="$(ROWS)" DIMS="$(DIMS)" QUERIES="$(QUERIES)" scripts/bench

fmt: ## format the Rust sources
	cargo fmt --all

lint: ## clippy, format, shellcheck, who may import whom
	@scripts/lint

doc: ## documentation of the crates, into target/doc
	@scripts/doc

clean: demo-stop ## stop the demonstration, remove all that was fetched or built
	rm -rf .build target dist
