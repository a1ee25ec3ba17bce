# What a person or CI does with the project; `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export TOOLS_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lighterage
export PATH := $(TOOLS_CACHE)/bin:$(PATH)
export CGO_ENABLED := 0

BIN := bin/lighterage
# What `lighterage version` says; empty outside of a checkout.
STAMPS = -X main.version=$(shell git describe --tags --always --dirty 2>/dev/null) \
	-X main.commit=$(shell git rev-parse HEAD 2>/dev/null) -X main.date=$(shell git log -1 --format=%cI 2>/dev/null)

# Where goroutines meet shared state. The race detector needs a C compiler and
# several times the time, so it is kept to these.
RACE := $(addprefix ./internal/,registry containers identity gc worker meta/... blob/... edge api/awsjson api/oci server)
FUZZTIME := 5s

.PHONY: help run demo build test race lint gen gen-diff fuzz bench bench-big e2e clients check

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

run: build ## build and serve on http://localhost:5000, data in ./lighterage-data
	@$(BIN) serve

demo: build ## the main job end to end on a temporary server
	@go run ./tools/demo -binary $(BIN)

build: ## the static binary bin/lighterage
	@go build -trimpath -ldflags '-s -w $(STAMPS)' -o $(BIN) ./cmd/lighterage

test: ## set up what the tests need, and run all of them but e2e
	@tools/need.sh postgresql
	@go test ./...

race: ## the packages with goroutines, under the race detector
	@tools/need.sh cc postgresql
	@CGO_ENABLED=1 go test -race $(RACE)

# SA1019: the AWS API has deprecated members that clients still send.
lint: ## gofmt, go vet, staticcheck
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); [ -z "$$files" ] || { echo "gofmt these: $$files"; exit 1; }
	@go vet -tags e2e,clients ./...
	@go tool -modfile=tools/lint.mod staticcheck -checks inherit,-SA1019 -tags e2e,clients ./...

gen: ## write the generated files anew
	@go generate ./...

gen-diff: ## fail if generating makes a difference
	@sum() { git ls-files -co --exclude-standard '*_gen.go' | xargs -r cat | cksum; }; \
	was=$$(sum); $(MAKE) -s gen; now=$$(sum); \
	[ "$$was" = "$$now" ] || { echo "generated files were stale; make gen has written them anew, commit them"; git diff --stat -- '*_gen.go'; exit 1; }

fuzz: ## each fuzz target for some seconds (FUZZTIME=5s)
	@git ls-files -co --exclude-standard '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' | while IFS=: read -r file func; do \
	  go test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
	done

bench: build ## Lighterage, the ceiling and its peers in one run, with ratios and targets
	@tools/need.sh distribution olareg
	@go build -o bin/ ./bench/regbench ./bench/nullreg
	@bench/run.sh

bench-big: build ## the same with 100,000 tags and 100,000 repositories
	@go build -o bin/ ./bench/regbench ./bench/nullreg
	@PEERS="$${PEERS:-lighterage null}" WORKS="$${WORKS:-big}" ROUNDS="$${ROUNDS:-1}" bench/run.sh

e2e: build ## real clients against the real binary
	@tools/need.sh postgresql docker skopeo aws boto3 strace busybox crane
	@E2E_BINARY=$(CURDIR)/$(BIN) go test -tags e2e -count=1 -timeout 10m ./test/e2e/...

clients: build ## clients that take long to install; TERRAFORM_PLUGINS is a provider mirror
	@tools/need.sh docker skopeo aws aws2 boto3 busybox jq openssl curl iproute2 podman buildah \
	  crane regctl oras helm cosign notation ko ecr-login ecr-credential-provider \
	  buildkitd buildctl tofu trivy javascript
	@E2E_BINARY=$(CURDIR)/$(BIN) NODE_PATH=$(TOOLS_CACHE)/npm/node_modules \
	  go test -tags 'e2e clients' -count=1 -timeout 20m -run TestClients ./test/e2e/...

check: build lint gen-diff test race e2e ## what CI runs
