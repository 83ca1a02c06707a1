#!/usr/bin/env bash
# sanitize.sh: every GoogleTest program under AddressSanitizer with UndefinedBehaviorSanitizer, then under
# ThreadSanitizer. SANITIZERS="tsan" and SUITES="test_service_http" choose, SANITIZE_JOBS (all processors) bounds the
# build, SANITIZE_SECONDS (1800) each suite. All of them are run; the last line says what ran, and it fails when a test
# did or when any process of one, also a `holdfast` it started, had something to report. Logs and reports:
# build/<sanitizer>/logs.
set -euo pipefail
cd "$(dirname "$0")/.."
read -ra sanitizers <<<"${SANITIZERS:-asan tsan}"
jobs=${SANITIZE_JOBS:-$(nproc)}
patience=${SANITIZE_SECONDS:-1800}

# Runs one suite, its findings in files beside its log.
run() {
  local sanitizer=$1 suite=$2 log=$3 reports=$4
  # UndefinedBehaviorSanitizer asks the kernel through a pipe whether a vtable can be read, and takes "no descriptors
  # left" for a no; AddressSanitizer keeps what is freed in memory, which breaks the bound that a case holds the process
  # to. ThreadSanitizer runs both cases, and not those whose child is a fork of many threads, which it does not follow.
  local filter='-Lifecycle.WithoutDescriptorsItWaitsWithoutSpinningAndThenAccepts'
  filter+=':Streams.AreNotPulledFasterThanASlowClientReads'
  if [ "$sanitizer" = tsan ]; then filter='-*DeathTest*'; fi
  # For this check g++ 12 moves stack frames to the heap, where an alignment of 64 is lost: that of the ShardLock which a
  # test has as a local variable.
  local returns=1
  if [ "$suite" = test_service_memory ]; then returns=0; fi
  # A transaction over the memory backend holds a lock for each shard it touches, and a snapshot that of every shard; this
  # detector counts to 64 of them.
  local deadlocks=1
  case $suite in
    test_service_api | test_documents_property | test_service_composition | test_service_durability | test_conformance) deadlocks=0 ;;
  esac
  ASAN_OPTIONS=detect_stack_use_after_return=$returns:log_path=$reports \
  LSAN_OPTIONS=suppressions=$PWD/cmake/libraries.lsan:print_suppressions=0 \
  UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports-ub \
  TSAN_OPTIONS=suppressions=$PWD/cmake/libraries.tsan:second_deadlock_stack=1:detect_deadlocks=$deadlocks:history_size=7:log_path=$reports \
    timeout "$patience" "build/$sanitizer/bin/$suite" --gtest_brief=1 --gtest_filter="$filter" >"$log" 2>&1
}

# The number in the last line of a log that matches.
number_in() {
  local number
  number=$(sed -nE "s/^$2.*/\1/p" "$1" | tail -1)
  echo "${number:-0}"
}

failures=0 suites_run=0 tests_run=0
for sanitizer in "${sanitizers[@]}"; do
  echo "== $sanitizer: building (a first build takes half an hour, the next ones what changed)"
  mkdir -p "build/$sanitizer/logs"
  if ! cmake --preset "$sanitizer" >"build/$sanitizer/logs/configure.log" 2>&1; then
    cat "build/$sanitizer/logs/configure.log" >&2
    exit 1
  fi
  if [ -n "${SUITES:-}" ]; then
    read -ra suites <<<"$SUITES"
  else
    mapfile -t suites <"build/$sanitizer/suites.txt"
  fi
  cmake --build --preset "$sanitizer" --parallel "$jobs" --target "${suites[@]}"
  at=0
  for suite in "${suites[@]}"; do
    at=$((at + 1))
    log=build/$sanitizer/logs/$suite.log
    reports=$PWD/build/$sanitizer/logs/$suite.report
    rm -f "$reports"*
    started=$SECONDS
    ended=0
    run "$sanitizer" "$suite" "$log" "$reports" || ended=$?
    found=()
    for report in "$reports"*; do if [ -s "$report" ]; then found+=("$report"); fi; done
    tests=$(number_in "$log" '\[==========\] ([0-9]+) tests? from .* ran\.')
    skipped=$(number_in "$log" '\[  SKIPPED \] ([0-9]+) tests?')
    suites_run=$((suites_run + 1)) tests_run=$((tests_run + tests - skipped))
    printf '%-4s %2d/%d %-28s ' "$sanitizer" "$at" "${#suites[@]}" "$suite"
    if [ "$ended" -eq 0 ] && [ ${#found[@]} -eq 0 ]; then
      printf 'clean, %d tests, %d skipped, %d s\n' "$((tests - skipped))" "$skipped" $((SECONDS - started))
      continue
    fi
    failures=$((failures + 1))
    case "$ended" in
      0) outcome='passed, with findings' ;;
      124) outcome="longer than $patience s" ;;
      *) outcome="exit code $ended" ;;
    esac
    printf 'FAILED: %s; see %s' "$outcome" "$log"
    if [ ${#found[@]} -gt 0 ]; then printf ' and %d reports beside it' ${#found[@]}; fi
    echo
    grep -hE 'SUMMARY|runtime error|^\[  FAILED  \]' "$log" "${found[@]}" | sort | uniq -c | head -10 | sed 's/^/    /' || true
  done
done
if [ "$failures" -ne 0 ]; then
  printf 'sanitize: %d of %d suites FAILED under %s\n' "$failures" "$suites_run" "${sanitizers[*]}"
  exit 1
fi
printf 'sanitize: %d suites, %d tests under %s: clean\n' "$suites_run" "$tests_run" "${sanitizers[*]}"
