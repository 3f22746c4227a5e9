# make build | demo | test | bench | peers       Each installs what it lacks (dev/setup.sh). One cargo profile for all of them.
SHELL := bash
export PATH := $(CURDIR)/.tools/bin:$(PATH)
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
export TCS_GIT_COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
export TCS_PYTHON ?= $(CURDIR)/.tools/venv/bin/python

.PHONY: build demo test bench peers lint clean-tools

build:            ## the release binary
	@dev/setup.sh build
	cargo build --release --locked
	@echo "built $(TARGET)/release/tcs-batch"

demo: build       ## the quickstart job; prints where its report is
	$(TARGET)/release/tcs-batch run jobs/quickstart.toml
	@echo "open reports/quickstart/report.html"

test:             ## every test
	@dev/setup.sh test
	@$(TCS_PYTHON) dev/make_twins.py target/twins
	cargo test --release --locked

lint:             ## formatting and clippy, as CI runs them
	@dev/setup.sh build
	cargo fmt --check
	cargo clippy --release --locked --all-targets -- -D warnings

peers:            ## the programs that the benches compare with, into .tools/peers
	python3 -m venv .tools/peers
	.tools/peers/bin/pip install --quiet --disable-pip-version-check -r benches/requirements.txt

bench: build      ## side by side with the peers that are installed
	cargo build --release --locked --examples
	@for bench in benches/*/run.py; do echo "== $$bench"; $$( [ -x .tools/peers/bin/python ] && echo .tools/peers/bin/python || echo python3 ) $$bench; done
