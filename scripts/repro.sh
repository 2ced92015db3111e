#!/usr/bin/env bash
# Builds everything twice, in two folders and with an empty Go cache each time,
# and compares: the same sources have to give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
for side in a bb; do
  mkdir -p "$work/$side"
  git archive HEAD | tar -x -C "$work/$side"
  (cd "$work/$side" && GOCACHE="$work/cache-$side" make --no-print-directory build >&2 &&
    find bin web/*/dist sdk/js/*/dist -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/$side.sum"
done
diff "$work/a.sum" "$work/bb.sum"
echo "$(wc -l <"$work/a.sum") files, the same twice"
