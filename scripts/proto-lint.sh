#!/usr/bin/env bash
# Checks the protocol's style, and that nothing in it breaks a client of the
# released one, whose image is proto/released.binpb.
#
#   scripts/proto-lint.sh            check
#   scripts/proto-lint.sh --release  make the protocol as it is now the released one
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/tools.sh buf
if [ "${1:-}" = --release ]; then
  .tools/buf build proto --exclude-source-info -o proto/released.binpb
  exit
fi
.tools/buf lint
# Images of the whole protocol are compared: buf takes our folder for two
# modules, and the released image for one.
now=$(mktemp --suffix=.binpb)
trap 'rm -f "$now"' EXIT
.tools/buf build proto -o "$now"
.tools/buf breaking "$now" --against proto/released.binpb
