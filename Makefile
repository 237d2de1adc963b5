# The commands of this repository. `make help` lists them.
# Everything but the benchmarks is built with the profile `ci`: each further profile builds all dependencies again.

CARGO ?= cargo
XTASK  = $(CARGO) run --quiet --locked --profile ci --package xtask --
SIM    = $(CARGO) run --quiet --locked --profile ci --package turnstone-simulation
ROW   ?=
BENCH ?=
NOTES ?=
EDITS ?=
MINUTES ?= 1
CRASH ?=
TARGET ?=

.DEFAULT_GOAL := help
.PHONY: help check test bench bench-bindings demo crash kill fuzz sim sim-replay sim-calibrate aar aar-check jar xcframework \
  xcframework-check proofs sizes rust

help: ## list these commands
	@printf 'Turnstone. Needs a Rust toolchain (%s or newer) and a C compiler.\n\n' '$(RUST_MIN)'
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 16

check: rust ## format, lints, repository rules, unit tests: for every commit, under three minutes warm
	@$(XTASK) check

test: rust ## everything; the last line counts passed, failed and skipped (REQUIRE_ALL=1: a skip is a failure)
	@$(XTASK) test

bench: rust ## measure, each row beside its limit (ROW=W1 for one, BENCH="--small --json" for more options)
	@$(CARGO) run --quiet --locked --release --package turnstone-benches -- $(if $(ROW),--row $(ROW)) $(BENCH)

bench-bindings: rust ## rows and watches from Kotlin and Swift, beside SQLite by hand (BENCH=--small to try it)
	@$(XTASK) bench-bindings $(BENCH)

sim: rust ## search seeded worlds for broken promises (MINUTES=5 FROM=1 STEPS=300)
	@$(SIM) -- run --keep-going --seeds 1000000000 --from $(or $(FROM),1) --steps $(or $(STEPS),300) --minutes $(MINUTES) $(SIM_ARGS)

sim-replay: rust ## run one seed again, shorten it, say what broke (SEED=36 STEPS=300 BUG=name; SIM_ARGS="--tell --save FILE")
	@$(SIM) $(if $(BUG),--features planted-bugs) -- replay --seed $(SEED) --steps $(or $(STEPS),300) $(if $(BUG),--bug $(BUG)) \
	  $(SIM_ARGS)

sim-calibrate: rust ## plant one bug after the other and count how soon the search finds it (SEEDS=2000, BUG=name)
	@$(SIM) --features planted-bugs -- calibrate --seeds $(or $(SEEDS),2000) $(if $(BUG),--bug $(BUG))

demo: rust ## five devices, one server, a bad network, real notes; ends equal everywhere (NOTES=, EDITS= paths)
	@$(CARGO) run --quiet --locked --profile ci --package turnstone-cli --bin turnstone -- demo \
	  $(if $(NOTES),--notes "$(NOTES)") $(if $(EDITS),--edits "$(EDITS)")

crash: rust ## power loss, kill, I/O error, full disk at every step, for MINUTES (CRASH="--json --seed 7" for more)
	@$(CARGO) run --quiet --locked --profile ci --package turnstone-crash-tests --bin crash -- \
	  --minutes $(MINUTES) $(CRASH)

kill: rust ## kill -9 of real clients and servers, with the account afterwards, for MINUTES (SEED= begins elsewhere)
	@CARGO="$(CARGO)" tests/kill/run.sh $(MINUTES) $(or $(SEED),1)

aar: rust ## build and verify the AAR (needs the Android NDK, cargo-ndk, Maven)
	@$(XTASK) aar

aar-check: rust ## assemble an AAR with a stand-in for the native libraries and verify it (needs no NDK)
	@$(XTASK) aar-check

jar: rust ## build and verify the libraries for the tests of apps on a computer like this one, with and without a server (needs Maven)
	@$(XTASK) jar

xcframework: rust ## build and verify the XCFramework (needs macOS with Xcode)
	@$(XTASK) xcframework

xcframework-check: rust ## build the libraries for iOS on Linux, put an XCFramework together and verify it
	@$(XTASK) xcframework-check

proofs: rust ## compile for every Android and iOS target on Linux, link, verify, and write docs/proofs.md
	@$(XTASK) proofs

sizes: rust ## the library as it is shipped, with and without built-in HTTP, and what dominates
	@$(XTASK) sizes

# Coverage for libFuzzer. `--target` keeps it out of what runs at build time.
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=4 --cfg fuzzing
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_ALL := wire_request wire_answer cursor body op schema merge database evil_server

fuzz: rust ## search for inputs that break something, MINUTES per target (TARGET=merge for one); finds go to fuzz/artifacts
	@cd fuzz && RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) build --quiet --locked --release --target $(FUZZ_HOST)
	@cd fuzz && broken='' && for target in $(or $(TARGET),$(FUZZ_ALL)); do \
	  mkdir -p found/$$target artifacts/$$target && \
	  target/$(FUZZ_HOST)/release/$$target -max_total_time=$$(( $(MINUTES) * 60 )) -timeout=20 -rss_limit_mb=2048 \
	    -max_len=4096 -print_final_stats=1 -artifact_prefix=artifacts/$$target/ found/$$target corpus/$$target \
	    || broken="$$broken $$target"; \
	done; [ -z "$$broken" ] || { echo "broken:$$broken (the inputs are in fuzz/artifacts)"; exit 1; }

# The oldest Rust that builds this, from Cargo.toml. No toolchain file: it would make rustup download one.
RUST_MIN := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

rust:
	@command -v $(CARGO) >/dev/null 2>&1 || { \
	  echo 'Turnstone needs Rust $(RUST_MIN) or newer and found no cargo: install it from https://rustup.rs'; exit 1; }
	@found=$$($(CARGO) --version | sed 's/^cargo \([0-9]*\.[0-9]*\).*/\1/'); \
	  oldest=$$(printf '%s\n%s\n' '$(RUST_MIN)' "$$found" | sort -t. -k1,1n -k2,2n | head -n 1); \
	  [ "$$oldest" = '$(RUST_MIN)' ] || { \
	  echo "Turnstone needs Rust $(RUST_MIN) or newer and found $$found: run 'rustup update stable'"; exit 1; }
	@command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 || { \
	  echo 'Turnstone needs a C compiler for SQLite and found none: install one (Debian: apt-get install gcc libc6-dev)'; exit 1; }
