#!/usr/bin/env bash
# sanitize.sh: the service's suites under AddressSanitizer with UndefinedBehaviorSanitizer, then under ThreadSanitizer.
# SANITIZERS="tsan" and SUITES="test_service_http" choose; SANITIZE_JOBS (all processors) bounds the build. The first
# finding ends its suite; every suite is run, and it fails when one did. Logs: build/<sanitizer>/logs.
#
# The operator's suites are left out: its threads are the runtime's and few, and `make test` runs them as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
read -ra sanitizers <<<"${SANITIZERS:-asan tsan}"
read -ra suites <<<"${SUITES:-test_base_metrics test_service_storage test_service_memory test_service_rocksdb \
  test_service_execution test_service_http test_service_json test_service_query test_service_coordination \
  test_service_documents test_service_tenancy test_service_transactions test_service_api test_conformance \
  test_linearizability test_storage_property test_http_framing}"
jobs=${SANITIZE_JOBS:-$(nproc)}
suppressions=$PWD/tests/conformance/rocksdb.tsan
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$suppressions:second_deadlock_stack=1

failed=0
for sanitizer in "${sanitizers[@]}"; do
  cmake --preset "$sanitizer" >/dev/null
  cmake --build --preset "$sanitizer" --parallel "$jobs" --target "${suites[@]}"
  mkdir -p "build/$sanitizer/logs"
  for suite in "${suites[@]}"; do
    log=build/$sanitizer/logs/$suite.log
    # A death test's child is a fork of many threads, which ThreadSanitizer does not follow.
    filter='*'
    if [ "$sanitizer" = tsan ]; then filter='-*DeathTest*'; fi
    started=$SECONDS
    if timeout 900 "build/$sanitizer/bin/$suite" --gtest_brief=1 --gtest_filter="$filter" >"$log" 2>&1; then
      printf '%-6s %-28s clean, %s, %d s\n' "$sanitizer" "$suite" \
        "$(sed -n 's/^\[==========\] \([0-9]* tests\) from.*/\1/p' "$log" | tail -1)" $((SECONDS - started))
    else
      failed=1
      printf '%-6s %-28s FAILED, see %s\n' "$sanitizer" "$suite" "$log"
      grep -E 'SUMMARY|runtime error|\[  FAILED  \]' "$log" | sort -u | head -10 | sed 's/^/    /' || true
    fi
  done
done
exit "$failed"
