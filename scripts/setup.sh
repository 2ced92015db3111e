#!/usr/bin/env bash
# Installs what a build or a test needs and this machine lacks. With everything
# there it takes a moment and asks nobody.
#
#   scripts/setup.sh         for `make test`: also PostgreSQL's programs, Chromium, CJK fonts, object stores
#   scripts/setup.sh build   for `make build` and `make run`: npm packages alone
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "setup: $*" >&2; exit 1; }
command -v go >/dev/null || die "Go is missing; install Go $(awk '/^go / { print $2 }' go.mod) or newer"
command -v npm >/dev/null || die "Node is missing; install Node 20 or newer with npm"

# Tests need real programs. They run without an installed service: the tests
# start their own PostgreSQL in a temporary folder.
if [ "${1:-test}" = test ]; then
  missing=()
  if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    missing+=(postgresql)
  fi
  command -v chromium >/dev/null || missing+=(chromium)
  command -v curl >/dev/null || missing+=(curl) # the documentation's examples
  if ! compgen -G '/usr/share/fonts/*/noto/NotoSansCJK*' >/dev/null; then missing+=(fonts-noto-cjk); fi
  if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || die "install ${missing[*]} (no apt-get here to do it)"
    root=()
    if [ "$(id -u)" != 0 ]; then
      command -v sudo >/dev/null || die "install ${missing[*]} as root, or install sudo"
      root=(sudo)
    fi
    echo "setup: installing ${missing[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  fi
  scripts/cloud.sh
fi

# Nothing has to be done as long as the committed lock is the one installed from,
# or agrees with npm's own lock of what is installed. Packages for other systems
# are absent by design.
if ! cmp -s package-lock.json node_modules/.installed-lock.json && ! node -e '
  const { readFileSync } = require("node:fs");
  const read = (name) => JSON.parse(readFileSync(name, "utf8")).packages;
  const have = read("node_modules/.package-lock.json");
  for (const [name, p] of Object.entries(read("package-lock.json"))) {
    if (!name.includes("node_modules/") || (p.optional && !have[name])) continue;
    if (have[name]?.version !== p.version || have[name]?.resolved !== p.resolved) process.exit(1);
  }' 2>/dev/null; then
  echo "setup: npm ci"
  npm ci --no-progress --loglevel=error
  cp package-lock.json node_modules/.installed-lock.json
fi
