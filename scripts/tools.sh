#!/usr/bin/env bash
# Builds the code generators into .tools/, at the versions that go.mod,
# tools/buf/go.mod and tools/es/package-lock.json pin. buf takes one to four
# minutes the first time; after that the whole script takes a second.
#
#   scripts/tools.sh         everything that `make gen` needs
#   scripts/tools.sh buf     buf alone, which `make proto-lint` needs
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p .tools
want=$(cd tools/buf && go list -m -f '{{.Version}}' github.com/bufbuild/buf)
if [ "v$(.tools/buf --version 2>/dev/null || true)" != "$want" ]; then
  echo "building buf $want (once; this takes minutes)" >&2
  (cd tools/buf && go build -o ../../.tools/buf github.com/bufbuild/buf/cmd/buf)
fi
[ "${1:-all}" = buf ] && exit 0

go build -o .tools/ google.golang.org/protobuf/cmd/protoc-gen-go \
  connectrpc.com/connect/cmd/protoc-gen-connect-go ./tools/protoc-gen-openapi
if ! cmp -s tools/es/package-lock.json .tools/es-lock.json; then
  (cd tools/es && npm ci --no-progress --loglevel=error >&2)
  cp tools/es/package-lock.json .tools/es-lock.json
fi
