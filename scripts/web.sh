#!/usr/bin/env bash
# Builds the SDKs in TypeScript, then the web app on the browser's, each only
# when something of it is newer than what was built.
set -euo pipefail
cd "$(dirname "$0")/.."

# build DIR OUTPUT SOURCES... runs the workspace's build script when needed.
build() {
  local dir=$1 output=$2
  shift 2
  [ -f "$dir/package.json" ] || return 0
  if [ -f "$output" ] && [ -z "$(find "$@" package-lock.json -newer "$output" -type f \
    -not -path '*/node_modules/*' -not -path '*/dist/*' -print -quit)" ]; then
    return 0
  fi
  npm run --silent build -w "$dir"
  touch "$output"
}
build sdk/js/client sdk/js/client/dist/index.js sdk/js/client
build sdk/js/server sdk/js/server/dist/index.js sdk/js/server
build web/chat web/chat/dist/index.html web/chat sdk/js/client
