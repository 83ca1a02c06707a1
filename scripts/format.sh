#!/usr/bin/env bash
# format.sh [--check]: clang-format over every C++ file under version control; --check only says which files differ.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -d '' files < <(git ls-files -z --cached --others --exclude-standard '*.h' '*.cc')
if [ "${1:-}" = --check ]; then
  printf '%s\0' "${files[@]}" | xargs -0 clang-format-14 --dry-run --Werror || {
    echo 'error: formatting differs; to mend it: make format' >&2
    exit 1
  }
else
  printf '%s\0' "${files[@]}" | xargs -0 clang-format-14 -i
fi
echo "clang-format: ${#files[@]} files"
