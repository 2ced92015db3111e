#!/usr/bin/env bash
# Prints a sum of every input and every output of `make gen`. The committed
# proto/gen.sum is compared with it, so that a stale generated file is found
# in a moment and without the generators.
#
#   scripts/gen-sum.sh           the sums
#   scripts/gen-sum.sh outputs   the names of the outputs
#   scripts/gen-sum.sh --check   compare with proto/gen.sum
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

inputs() {
  find proto -name '*.proto'
  find tools/protoc-gen-openapi tools/validateproto -name '*.go' ! -name '*_test.go'
  printf '%s\n' buf.yaml buf.gen.yaml buf.gen.livekit.yaml tools/buf/go.mod tools/es/package-lock.json \
    sdk/js/client/scripts/descriptors.mjs sdk/js/client/scripts/gen-wire.mjs \
    sdk/js/server/scripts/gen-wire.mjs sdk/testdata/server/calls.json
  find sdk/js/client/src/modules -name wire.json
}
outputs() {
  find proto \( -name '*.pb.go' -o -name '*.connect.go' \)
  find sdk/js/client/src/gen -type f 2>/dev/null || true
  find sdk/js/client/src/wire sdk/js/client/src/modules \( -name schema.ts -o -name wire.ts \) 2>/dev/null || true
  find sdk/js/server/src -name wire.ts 2>/dev/null || true
  find docs/reference -name openapi.json 2>/dev/null || true
}
sums() {
  # The plugins in Go are built at the versions that go.mod gives.
  grep -E '^\s*(google.golang.org/protobuf|connectrpc.com/connect|buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go) ' \
    go.mod | awk '{ print "# " $1 " " $2 }' | sort
  { inputs; outputs; } | sort | xargs sha256sum
}

case "${1:-}" in
  outputs) outputs ;;
  --check)
    if ! diff <(sums) proto/gen.sum >&2; then
      echo "generated files are stale or were edited (< now, > generated): run make gen" >&2
      exit 1
    fi
    ;;
  *) sums ;;
esac
