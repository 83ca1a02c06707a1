#!/usr/bin/env bash
# lint.sh: formatting, clang-tidy, shellcheck and Python syntax. Runs them all, then fails if one failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=()

section() {
  local name=$1 started=$SECONDS
  shift
  echo "== $name"
  "$@" || failed+=("$name")
  echo "== $name: $((SECONDS - started)) s"
}

shell_scripts() {
  git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run | xargs -0 shellcheck --external-sources
}

python_syntax() {
  git ls-files -z --cached --others --exclude-standard '*.py' | xargs -0 python3 -W error -c '
import ast, sys
for path in sys.argv[1:]:
    with open(path, "rb") as source:
        ast.parse(source.read(), path)
print(f"python: {len(sys.argv) - 1} files")'
}

# A tree of its own: precompiled headers are g++'"'"'s and clang cannot read them, and without them a file that lacks an
# include is found out.
configure() {
  mkdir -p build
  cmake -S . -B build/lint -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=g++ -DHOLDFAST_CCACHE= \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >build/lint-configure.log 2>&1 || {
    cat build/lint-configure.log >&2
    return 1
  }
}

# What ships, and the programs that tests run. The GoogleTest programs would double the time, for findings in code
# that runs on every commit anyway.
clang_tidy() {
  configure && python3 scripts/clang_tidy.py --build build/lint --cache build/lint-cache \
    base/ service/ operator/ tests/bench/ tests/integration/crash_audit/ tests/integration/api_double/
}

section format scripts/format.sh --check
section shellcheck shell_scripts
section python python_syntax
section clang-tidy clang_tidy
if [ ${#failed[@]} -gt 0 ]; then
  echo "lint failed: ${failed[*]}" >&2
  exit 1
fi
echo "lint passed"
