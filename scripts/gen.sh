#!/usr/bin/env bash
# Makes every committed file that is generated from the protocol: Go,
# TypeScript, the OpenAPI document, and the sums that tell a stale one.
#
#   scripts/gen.sh           generate
#   scripts/gen.sh --check   generate elsewhere and compare; fails on a difference
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/tools.sh
scripts/setup.sh build
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The vocabulary of validation rules comes first: the rest is compiled with it.
validate=proto/third_party/buf/validate/validate.proto
mkdir -p "$out/third_party" "$(dirname "$validate")"
go run ./tools/validateproto >"$out/third_party/validate.proto"
if [ "${1:-}" != --check ]; then cp "$out/third_party/validate.proto" "$validate"; fi

# A protocol that breaks a rule gets no sums, so that a matching sum also says
# that the rules were kept.
scripts/proto-lint.sh

.tools/buf generate --output "$out"
.tools/buf generate --template buf.gen.livekit.yaml --output "$out"

if [ "${1:-}" = --check ]; then
  status=0
  diff -u "$validate" "$out/third_party/validate.proto" || status=1
  while read -r file; do
    diff -u "$file" "$out/$file" || status=1
  done < <({ scripts/gen-sum.sh outputs | grep -v src/wire/ | grep -v /wire.ts; cd "$out" && find proto sdk docs -type f; } | sort -u)
  node sdk/js/client/scripts/gen-wire.mjs --check || status=1
  node sdk/js/server/scripts/gen-wire.mjs --check || status=1
  [ $status = 0 ] || echo "generated files are stale: run make gen" >&2
  exit $status
fi

# What is no longer generated goes away.
scripts/gen-sum.sh outputs | grep -v src/wire/ | grep -v /wire.ts | xargs -r rm -f
cp -r "$out/proto" "$out/sdk" "$out/docs" .
# The SDKs' own field tables are made from the generated descriptors.
node sdk/js/client/scripts/gen-wire.mjs
node sdk/js/server/scripts/gen-wire.mjs
scripts/gen-sum.sh >proto/gen.sum
