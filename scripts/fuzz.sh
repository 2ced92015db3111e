#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (30s unless told), one after another.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0 targets=0
while read -r package; do
  while read -r target; do
    targets=$((targets + 1))
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 5x "$package" || status=1
  done < <(go test -list '^Fuzz' "$package" | grep '^Fuzz')
done < <(git grep -l '^func Fuzz' -- '*_test.go' | xargs -r -n1 dirname | sort -u | sed 's|^|./|')
echo "$targets fuzz targets"
[ "$targets" -gt 0 ] && exit $status
