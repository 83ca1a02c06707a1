#!/usr/bin/env bash
# run.sh BINARY [options that http_bench.py, postgres_bench.py and redis_bench.py share]: every figure of docs/performance.md in one run;
# the reports go to build/bench/.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$1
shift
mkdir -p build/bench
report="build/bench/$(date +%Y-%m-%d-%H%M%S)"
python3 tests/bench/fresh_service.py --binary "$binary" | tee "$report-fresh-service.md"
: >"$report-in-process.md"
# One behind the other, a blank line between their tables.
in_process() { { "$(dirname "$binary")/$1" "${@:2}" && echo; } | tee -a "$report-in-process.md"; }
in_process bench_memory
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
in_process bench_rocksdb "$folder"
in_process bench_composition "$folder"
in_process bench_write_queue "$folder"
in_process bench_checkpoint "$folder"
in_process bench_backup "$folder"
python3 tests/bench/http_bench.py --binary "$binary" --report "$report.md" "$@"
python3 tests/bench/postgres_bench.py --binary "$binary" --report "$report-postgres.md" "$@"
python3 tests/bench/redis_bench.py --binary "$binary" --report "$report-redis.md" "$@"
