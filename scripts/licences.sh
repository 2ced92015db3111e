#!/usr/bin/env bash
# Every dependency, tests' and tools' in the workspaces included, has a licence
# that goes with Apache-2.0. An npm package states it in the lock file; a Go
# module is refused by the text of its licence.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
node -e '
  const ok = ["MIT", "ISC", "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0", "MPL-2.0", "Python-2.0", "Unlicense"];
  const stated = { "node_modules/combine-errors": "MIT" }; // what only their Readme says
  const { packages } = require("./package-lock.json");
  for (const [name, p] of Object.entries(packages)) {
    if (p.link || !name.includes("node_modules/")) continue;
    const terms = (p.license ?? stated[name] ?? "none").replace(/[()]/g, "").split(/ (?:AND|OR) /);
    if (!terms.every((t) => ok.includes(t))) { console.error(`${name}: licence ${p.license}`); process.exitCode = 1; }
  }' || status=1

while read -r dir; do
  mapfile -t texts < <(find "$dir" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'unlicense*' \))
  if [ ${#texts[@]} = 0 ]; then
    echo "$dir: no licence" >&2
    status=1
  elif grep -lE 'GNU (AFFERO |LESSER )?GENERAL PUBLIC LICENSE|Business Source License|Server Side Public License' "${texts[@]}" >&2; then
    status=1
  fi
done < <(go list -deps -test -f '{{with .Module}}{{if not .Main}}{{.Dir}}{{end}}{{end}}' ./... | sort -u)
exit $status
