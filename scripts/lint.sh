#!/usr/bin/env bash
# What can be said of the sources without running them. The shape of the tree
# is a Go test of its own: internal/arch_test.go.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
bad() { echo "lint: $*" >&2; status=1; }

unformatted=$(git ls-files -co --exclude-standard '*.go' | xargs -r ls 2>/dev/null | xargs -r gofmt -l)
[ -z "$unformatted" ] || bad "not formatted by gofmt: $unformatted"
go vet ./... || bad "go vet"
scripts/gen-sum.sh --check || bad "generated code"
if [ -x .tools/buf ]; then scripts/proto-lint.sh || bad "protocol"; fi

# Each workspace says how its types are checked, and its package if it has one.
npm run --silent typecheck --workspaces --if-present || bad "types"
npm run --silent lint:package --workspaces --if-present || bad "npm package"
if git ls-files '*package-lock.json' | xargs -r grep -l '"resolved": "http'; then
  bad "a lock file names a registry host; see .npmrc"
fi
scripts/licences.sh || bad "a dependency's licence"
for script in scripts/*.sh .ci/run; do
  bash -n "$script" || bad "$script"
done
exit $status
