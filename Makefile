# The commands of the project. `make run` and `make test` install what they need.
LISTEN ?= 127.0.0.1:8080
DATA ?= ./data
# SQLITE=cgo builds with SQLite in C, which needs a C compiler; the default is SQLite in Go.
SQLITE ?= go
ifeq ($(SQLITE),cgo)
build: export CGO_ENABLED := 1
tags := -tags sqlite_cgo,sqlite_fts5
else
build: export CGO_ENABLED := 0
endif

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build all and serve the app with demo users, at LISTEN, keeping data in DATA
	bin/skein serve --dev --listen $(LISTEN) --data $(DATA)

.PHONY: cluster
cluster: build ## three nodes on one PostgreSQL behind a balancer, at LISTEN, keeping data in DATA/cluster
	@go build -o .tools/cluster ./test/cluster/up
	@.tools/cluster --listen $(LISTEN) --data $(DATA)/cluster

.PHONY: build
build: ## build the SDK, the web app, and bin/skein with the web app inside; SQLITE=cgo for SQLite in C
	@scripts/setup.sh build
	@scripts/web.sh
	go build $(tags) -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o bin/skein ./cmd/skein

.PHONY: test
test: ## run every test, the browser's and PostgreSQL's included
	@scripts/test.sh

.PHONY: e2e
e2e: ## run the browser tests alone
	@scripts/test.sh setup build e2e

.PHONY: lint
lint: ## check formats, types, the tree's shape and generated files
	@scripts/test.sh lint

.PHONY: lint-deep
lint-deep: ## run golangci-lint (builds it the first time)
	@scripts/lint-deep.sh

.PHONY: gen
gen: ## generate code and the API document from proto/ (builds buf the first time)
	@scripts/gen.sh

.PHONY: gen-check
gen-check: ## generate again elsewhere and compare
	@scripts/gen.sh --check

.PHONY: proto-lint
proto-lint: ## check the protocol's style, and that it breaks no released client
	@scripts/proto-lint.sh

.PHONY: proto-release
proto-release: ## make the protocol as it is now the one that may not be broken
	@scripts/proto-lint.sh --release

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@scripts/fuzz.sh

.PHONY: red
red: ## plant a bug for each promise, and see its tests turn red (minutes)
	go run ./test/red

.PHONY: chaos
chaos: ## break servers at full length, and prove that nothing is lost (an hour; as root)
	go run ./test/chaos/run all
	SKEIN_CHAOS_LONG=1 go test ./test/chaos -count=1 -timeout 60m -run FailsOver -v
	SKEIN_CHAOS_LONG=1 go test ./test/files -count=1 -timeout 20m -run Outlives -v
	SKEIN_CHAOS_LONG=1 go test ./test/move -count=1 -timeout 60m -v

.PHONY: calls-soak
calls-soak: build ## calls over bad networks and their recordings, SOAK_SECONDS (60) each, and how soon SOAK_ANSWERS (30) are seen, what SOAK_DEATHS (30) of nodes cost; writes test-output/calls-*.md (as root)
	SKEIN_CALLS_LONG=1 go test -count=1 -v -run 'TestTheLayerFollows|TestLossDelay' ./internal/sfu/forward
	SKEIN_BIN=$(CURDIR)/bin/skein node_modules/.bin/vitest run --config test/calls/soak/vitest.config.ts

.PHONY: sim
sim: ## run SEEDS (1000) simulated worlds, measure what they reach, find planted bugs
	@scripts/sim.sh

.PHONY: bench
bench: build ## measure messages between pairs of users, durable
	bin/skein bench p2p --pairs 500 --window 16 --seconds 10 --json

.PHONY: size
size: ## print the browser SDK's size against its budget
	@scripts/size.sh

.PHONY: repro
repro: ## build HEAD twice and compare the bytes
	@scripts/repro.sh

.PHONY: clean
clean: ## remove what was built; keeps data and the tools that take minutes to build
	rm -rf bin test-output sdk/js/*/dist
	find web -path '*/dist/*' -type f ! -name .gitkeep ! -path '*/node_modules/*' -delete
