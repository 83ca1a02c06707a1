# The front door. Every target first installs the Debian packages it needs, where they are missing, and can be run twice.
# Targets of one call run one after another, also under `make -j`: they share build trees and this machine.
.NOTPARALLEL:
.PHONY: help run test sanitize fuzz soak e2e bench lint format clean
.DEFAULT_GOAL := help

RUN_ARGS ?=
E2E_ARGS ?=
BENCH_ARGS ?=
AUDIT_ARGS ?=
FAILOVER_ARGS ?=
REDIS_FAILOVER_ARGS ?=
MIGRATION_ARGS ?=

help:
	@echo 'Holdfast: managed state for applications on Kubernetes. Targets:'
	@echo '  make run     build, then serve crds/samples/embedded.yaml on http://127.0.0.1:8080 (Ctrl-C stops it;'
	@echo '               RUN_ARGS="..." goes to holdfast-operator local)'
	@echo '  make test    build everything, run every test'
	@echo '  make e2e     the cases of e2e/ against a real kube-apiserver, our double of it, and a cluster with a kubelet'
	@echo '               (E2E_ARGS="--server real --case scale", see e2e/run.py --help)'
	@echo '  make bench   figures beside nginx, etcd, pgbench, webdis and bare RocksDB in one run, written to build/bench/'
	@echo '  make fuzz    libFuzzer over everything that parses, 60 s a target (FUZZ_SECONDS=600 FUZZ_TARGETS="cursor")'
	@echo '  make sanitize  every suite under ASan with UBSan, then under TSan (SANITIZERS=tsan SUITES=test_service_http)'
	@echo '  make soak    the kill -9 audit for 1000 rounds (AUDIT_ARGS="--rounds 5000 --seed 7"), 50 failovers of PostgreSQL'
	@echo '               beside Patroni alone (FAILOVER_ARGS="--rounds 200 --seed 7"), 20 of Redis (REDIS_FAILOVER_ARGS), and a store of a'
	@echo '               million keys that moves under fire (MIGRATION_ARGS="--keys 5000000")'
	@echo '  make lint    formatting, clang-tidy, shellcheck, Python syntax'
	@echo '  make format  clang-format every C++ file in place'
	@echo '  make clean   remove build/ (data in .holdfast/ stays)'

run:
	@scripts/install_packages.sh build
	@scripts/build.sh release holdfast holdfast-operator
	@exec build/release/bin/holdfast-operator local -f crds/samples/embedded.yaml $(RUN_ARGS)

test:
	@scripts/install_packages.sh build test
	@scripts/build.sh release
	@exec ctest --preset release --parallel 5 --output-junit junit.xml

fuzz:
	@scripts/install_packages.sh build fuzz
	@scripts/build.sh fuzz fuzz_targets
	@exec tests/fuzz/run.sh build/fuzz/bin

sanitize:
	@scripts/install_packages.sh build test
	@exec scripts/sanitize.sh

soak:
	@scripts/install_packages.sh build test
	@scripts/build.sh release holdfast holdfast-operator failover_rounds redis_failover_rounds store_migration_keys
	@python3 tests/integration/crash_audit/crash_audit.py --binary build/release/bin/holdfast --rounds 1000 $(AUDIT_ARGS)
	@build/release/bin/failover_rounds $(FAILOVER_ARGS)
	@build/release/bin/redis_failover_rounds $(REDIS_FAILOVER_ARGS)
	@exec build/release/bin/store_migration_keys $(MIGRATION_ARGS)

e2e:
	@scripts/install_packages.sh build test e2e $(if $(findstring --quick,$(E2E_ARGS)),,e2e_slow) \
	  $(if $(filter --quick --registry real double both,$(E2E_ARGS)),,e2e_cluster)
	@scripts/build.sh release holdfast holdfast-operator kubectl-holdfast holdfast-api-double holdfast-misoperations \
	  $(if $(filter --quick --registry real double both,$(E2E_ARGS)),,holdfast-next)
	@exec python3 e2e/run.py --operator build/release/bin/holdfast-operator $(E2E_ARGS)

bench:
	@scripts/install_packages.sh build bench
	@scripts/build.sh release holdfast bench_memory bench_rocksdb bench_composition bench_write_queue bench_checkpoint bench_backup
	@exec tests/bench/run.sh build/release/bin/holdfast $(BENCH_ARGS)

lint:
	@scripts/install_packages.sh build lint
	@exec scripts/lint.sh

format:
	@scripts/install_packages.sh lint
	@exec scripts/format.sh

clean:
	@rm -rf build
