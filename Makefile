# make help lists the targets. scripts/test installs what the tests need and then runs "make check".

# Packages that judge programs by how long they take, so that nothing else may take their time.
ALONE := '/conformance/\(app\|server\|script\)$$'

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/gangway
	go build -trimpath -o bin/gangway ./cli/gangway

.PHONY: check
check: fmt vet staticcheck arch cross test fuzz ## everything that must hold before a change is pushed

.PHONY: fmt
fmt: ## fail if gofmt would change a file
	@changed=$$(gofmt -l .); [ -z "$$changed" ] || { printf 'gofmt would change:\n%s\n' "$$changed" >&2; exit 1; }

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: staticcheck
staticcheck: ## staticcheck, with all its checks (staticcheck.conf)
	go run $(STATICCHECK) ./...

.PHONY: arch
arch: ## who may import whom, and how long functions and files may be
	go test -count=1 ./internal/arch

.PHONY: test
test: ## all tests with the race detector, README and example code among them
	@[ "$$(id -u)" = 0 ] || echo 'not root: the tests of what becomes another user are skipped' >&2
	go test -race -shuffle=on -timeout=20m $$(go list ./... | grep -v $(ALONE))
	go test -race -shuffle=on -timeout=20m -p 1 $$(go list ./... | grep $(ALONE))
	go test -count=1 ./bench/allocations

.PHONY: fuzz
fuzz: ## run each fuzz target for a moment, or for FUZZTIME (20000x, 10m)
	scripts/fuzz $(FUZZTIME)

.PHONY: fuzz-coverage
fuzz-coverage: ## how much of each parser the committed fuzz inputs reach; at least 95 %
	go run ./internal/fuzzcover

.PHONY: soak
soak: ## gangway between 200 clients and applications that misbehave, for DURATION (20m); SEED repeats decisions
	go test -count=1 -timeout 0 -run 'TestSoak$$' ./internal/soak -v -duration $(or $(DURATION),20m) -pause 400ms \
		-seed $(or $(SEED),0)

.PHONY: lifecycle
lifecycle: ## requests for DURATION (60s), by HTTP and through nginx, while gangway is upgraded and restarted: none may fail
	GANGWAY_LIFECYCLE=$(or $(DURATION),60s) go test -count=1 -timeout 0 -run 'TestLifecycle$$' -v ./cli

.PHONY: cross
cross: ## build for macOS and Windows, and vet the tests there
	GOOS=darwin go build ./... && GOOS=darwin go vet ./...
	GOOS=windows go build ./... && GOOS=windows go vet ./...

.PHONY: conformance-peers
conformance-peers: ## run the conformance suite on well-known programs, or on PEERS, and write conformance/RESULTS.md
	go run ./conformance/peers $(PEERS)

.PHONY: kill-matrix
kill-matrix: ## run all conformance cases on all mutants and write which fail: conformance/faulty/kills
	mkdir -p conformance/faulty/kills
	GANGWAY_KILL_MATRIX=$(CURDIR)/conformance/faulty/kills go test -count=1 -run 'TestKillMatrix' -parallel 12 -timeout 2h \
		./conformance/app ./conformance/server ./conformance/script

.PHONY: smuggling-table
smuggling-table: ## try the smuggling corpus on well-known servers and write docs/smuggling.md
	GANGWAY_SMUGGLING_TABLE=$(CURDIR)/docs/smuggling.md go test -count=1 -run 'TestSmuggling$$' ./internal/faulttest

.PHONY: attack-table
attack-table: ## try attacks on paths and scripts on well-known servers and write docs/attacks.md
	GANGWAY_ATTACK_TABLE=$(CURDIR)/docs/attacks.md go test -count=1 -run 'TestAttacks$$' ./internal/faulttest

.PHONY: fault-table
fault-table: ## try all faults of applications behind all frontends and write docs/faults.md
	GANGWAY_FAULT_TABLE=$(CURDIR)/docs/faults.md go test -count=1 -run 'TestFaults$$|TestFaultPage$$' ./internal/faulttest

.PHONY: disconnect-table
disconnect-table: ## measure when applications learn that their client has left and write docs/disconnects.md
	GANGWAY_DISCONNECT_TABLE=$(CURDIR)/docs/disconnects.md go test -count=1 -run 'TestDisconnects$$' ./internal/faulttest

.PHONY: limits-table
limits-table: ## write docs/limits.md
	GANGWAY_LIMITS_TABLE=$(CURDIR)/docs/limits.md go test -count=1 -run 'TestLimitsDocument$$' ./cli

.PHONY: dribble
dribble: build ## measure what 10,000 connections that never finish a request do to others
	go run ./bench/dribble -gangway bin/gangway $(DRIBBLE)

.PHONY: slow
slow: ## 50 slow uploaders and 50 slow readers before an application with 2 processes: how long others wait, DURATION (10s)
	GANGWAY_SLOW=$(or $(DURATION),10s) go test -count=1 -timeout 20m -run 'TestFigures$$' ./bench/slow -v

.PHONY: sandbox-cost
sandbox-cost: ## print what a CGI request costs as another user, under limits and in a sandbox
	go test -run '^$$' -bench BenchmarkConfinement -benchtime 1000x -count 3 ./cgi

.PHONY: clean
clean: ## remove what the other targets built
	rm -rf bin
