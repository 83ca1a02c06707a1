#!/usr/bin/env bash
# run.sh PROGRAMS: fuzzes every target of corpus/ for FUZZ_SECONDS (60) each, two at a time, beginning with the
# committed corpus; FUZZ_TARGETS="cursor http_head" chooses. What was learned stays in build/fuzz/learned for the next
# run. The last line says what ran; fails when one found a crash, and says how to see it again.
set -euo pipefail
programs=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
work=$programs/..
seconds=${FUZZ_SECONDS:-60}
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1

fuzz() {
  local target=$1 log=$work/logs/$1.log
  mkdir -p "$work/learned/$target" "$work/crashes/$target" "$work/logs"
  local options=(-max_total_time="$seconds" -timeout=25 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1
    -artifact_prefix="$work/crashes/$target/")
  if [ -e "$here/dictionaries/$target.dict" ]; then options+=(-dict="$here/dictionaries/$target.dict"); fi
  if "$programs/fuzz_$target" "${options[@]}" "$work/learned/$target" "$here/corpus/$target" >"$log" 2>&1; then
    printf '%-16s %12s inputs, %s edges: nothing found\n' "$target" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
      "$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -c6-)"
  else
    printf '%-16s FAILED\n' "$target"
    grep -E 'property broken|ERROR|runtime error|SUMMARY|Test unit written' "$log" | sed 's/^/    /'
    printf '    again: %s %s/crashes/%s/*\n' "$programs/fuzz_$target" "$(realpath --relative-to=. "$work")" "$target"
    return 1
  fi
}

if [ -n "${FUZZ_TARGETS:-}" ]; then
  read -ra targets <<<"$FUZZ_TARGETS"
else
  mapfile -t targets < <(find "$here/corpus" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
fi
echo "== fuzzing ${#targets[@]} targets for $seconds s each, two at a time"
failed=0
running=()
for target in "${targets[@]}"; do
  fuzz "$target" &
  running+=($!)
  if [ ${#running[@]} -eq 2 ]; then
    for pid in "${running[@]}"; do wait "$pid" || failed=1; done
    running=()
  fi
done
for pid in "${running[@]}"; do wait "$pid" || failed=1; done
if [ "$failed" -eq 0 ]; then
  inputs=0
  for target in "${targets[@]}"; do
    inputs=$((inputs + $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/logs/$target.log")))
  done
  printf 'fuzz: %d targets, %d s each, %d inputs: clean\n' ${#targets[@]} "$seconds" "$inputs"
else
  echo "A crash becomes a named file in tests/fuzz/corpus/TARGET and a unit test beside the code (logs: build/fuzz/logs)."
  echo "fuzz: FAILED"
fi
exit "$failed"
