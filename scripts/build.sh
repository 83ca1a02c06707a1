#!/usr/bin/env bash
# build.sh PRESET [TARGET...]: configures where needed, builds, and says how long it took.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
started=$SECONDS
# Configured every time (a second or two): new rooms and tests are found by their CMakeLists.txt.
mkdir -p build
if ! cmake --preset "$preset" >"build/$preset-configure.log" 2>&1; then
  cat "build/$preset-configure.log" >&2
  # A half-done first configuration would go on failing for reasons that are gone.
  [ -f "build/$preset/build.ninja" ] || rm -f "build/$preset/CMakeCache.txt"
  exit 1
fi
echo "== building build/$preset${*:+: $*} (a first build takes some minutes, the next ones seconds)"
if [ $# -gt 0 ]; then
  cmake --build --preset "$preset" --parallel "$(nproc)" --target "$@"
else
  cmake --build --preset "$preset" --parallel "$(nproc)"
fi
echo "== built in $((SECONDS - started)) s"
