#!/usr/bin/env bash
# run.sh BINARY [options of http_bench.py]: every figure of docs/performance.md in one run; the report goes to build/bench/.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$1
shift
mkdir -p build/bench
exec python3 tests/bench/http_bench.py --binary "$binary" --report "build/bench/$(date +%Y-%m-%d-%H%M%S).md" "$@"
