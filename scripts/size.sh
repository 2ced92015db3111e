#!/usr/bin/env bash
# Prints how much of a page's load the browser SDK is, compressed, and fails
# above the budget. The SDK's build leaves one bundle for the core alone, one
# for what a browser loads: the core with its store, and one a module: what it
# adds to the core, 4,000 bytes unless its wire.json says otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
check() { # file, limit in bytes, name
  [ -f "$1" ] || { echo "size: $1 is missing: run make build" >&2; exit 1; }
  local bytes
  bytes=$(gzip -9 -n -c "$1" | wc -c)
  printf '%-24s %6d bytes gzip, at most %d\n' "$3" "$bytes" "$2"
  if [ "$bytes" -gt "$2" ]; then status=1; fi
}
bundle=sdk/js/client/dist/bundle
check "$bundle/core.min.js" 30000 "SDK core"
check "$bundle/browser.min.js" 60000 "SDK with browser store"
for file in "$bundle"/modules/*.min.js; do
  name=$(basename "$file" .min.js)
  wire=sdk/js/client/src/modules/$name/wire.json
  budget=$([ -f "$wire" ] && sed -n 's/.*"budget": *\([0-9]*\).*/\1/p' "$wire" || true)
  check "$file" "${budget:-4000}" "module $name"
done
[ $status = 0 ] || echo "size: over the budget" >&2
exit $status
