#!/usr/bin/env bash
# Runs golangci-lint with .golangci.yml. Building it takes minutes the first
# time, so it is apart from `make lint`. It is pinned here and not in a module:
# its licence is another than ours, and it goes into nothing that we ship.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v2.15.0
if [ "v$(.tools/golangci-lint version --short 2>/dev/null || true)" != "$version" ]; then
  echo "building golangci-lint $version (once; this takes minutes)" >&2
  GOBIN=$PWD/.tools go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
fi
exec .tools/golangci-lint run "$@"
