#!/usr/bin/env bash
# Runs every test there is, part by part, and says how long each took.
#
#   scripts/test.sh             all parts
#   scripts/test.sh go js ...   these parts (see PARTS)
#
# A failing part does not stop the others; the exit code tells. A part without
# its folder fails too, unless scripts/parts-pending.txt names it. The output
# of each part is kept in test-output/.
#
# Up to three packages or files that fail are run once more, by themselves. What
# passes then is printed at the end, every time: it is a fault to be found, of
# the test or of what it tests. RERUN=0 makes it red.
set -euo pipefail
cd "$(dirname "$0")/.."

PARTS=(setup build lint go js size wire files calls script sim cluster chaos helm examples e2e)
# Seconds before a part is stopped: a test that hangs must not hang the run.
declare -A LIMIT=([setup]=800 [build]=400 [lint]=300 [go]=600 [js]=180 [size]=20 [wire]=200 [files]=260 [calls]=300 [script]=560 [sim]=200 [cluster]=220 [chaos]=540 [helm]=300 [examples]=240 [e2e]=450)
# What has to exist for a part to have anything to test.
declare -A NEEDS=([go]=internal [js]=sdk/js/client/package.json [size]=sdk/js/client/package.json
  [wire]=test/wire [files]=test/files [calls]=test/calls [script]=test/script [sim]=test/sim [cluster]=test/cluster [chaos]=test/chaos [helm]=deploy/helm/test/go.mod [examples]=examples [e2e]=test/e2e/package.json)

out=$PWD/test-output
counts=$out/counts
mkdir -p "$out"
sum() { .tools/testsum -counts "$counts" "$@"; }

# judged runs what run_RUNNER does, and what failed once more; testsum says how it went.
judged() { # runner, report, packages or files
  local runner=$1 report=$2 status=0 again=() failing
  rm -f "$report" "$report.again"
  "run_$runner" "$report" "${@:3}" || status=$?
  mapfile -t failing < <(.tools/testsum -failing "$runner" "$report")
  if [ "${RERUN:-1}" = 1 ] && [ ${#failing[@]} -gt 0 ] && [ ${#failing[@]} -le 3 ]; then
    "run_$runner" "$report.again" "${failing[@]}" || true
    again=(-again "$report.again")
    status=0 # testsum's is what counts
  fi
  sum "${again[@]}" "$runner" "$report" || status=1
  return $status
}

# Go packages, each in one part: what starts whole servers has its own.
go_packages() { go list ./... | grep -Ev '/internal$|/test/|/examples(/|$)|/docs(/|$)'; }
run_go() { # report, packages; in the folder IN
  (cd "${IN:-.}" && go test -json -timeout "${limit}s" "${args[@]}" "${@:2}") >"$1"
}
go_test() { # limit, flags, each one word, and packages
  local limit=$1 args=()
  shift
  [ -z "${CI:-}" ] || args+=(-count=1) # elsewhere the cache of passed tests saves minutes
  while [[ $1 = -* ]]; do args+=("$1") && shift; done
  judged go "$out/go.json" "$@"
}
# with_built runs tests of whole servers with what the part build has built just
# now, in place of one that each package builds for itself.
with_built() {
  [ -z "${BUILT:-}" ] || export SKEIN_BIN=$BUILT
  "$@"
}
run_vitest() { # report, files; in folder
  local root=$PWD files=("${@:2}")
  (cd "$folder" && "$root/node_modules/.bin/vitest" run --reporter=default --reporter=json --outputFile="$1" "${files[@]#"$folder"/}") || true
}
vitest() { # folder
  local folder=$1
  judged vitest "$out/vitest-$(tr / - <<<"${1#./}").json"
}

part_setup() { scripts/setup.sh && go build -o .tools/ ./tools/testsum; }
part_build() { make --no-print-directory build; }
part_lint() {
  local status=0
  scripts/lint.sh || status=1
  go_test 60 ./internal || status=1
  return $status
}
part_go() {
  local packages
  mapfile -t packages < <(go_packages)
  local status=0
  # Twice as many packages as cores: many wait, for clocks and for databases.
  go_test 540 "-p=$((2 * $(nproc)))" "${packages[@]}" || status=1
  # The other SQLite driver (make build SQLITE=cgo), where there is a C compiler.
  if command -v gcc >/dev/null; then
    go_test 200 -tags=sqlite_cgo,sqlite_fts5 ./internal/db ./internal/journal || status=1
  fi
  return $status
}
part_js() {
  local status=0
  for dir in $(node -p 'require("./package.json").workspaces.join(" ")'); do
    [ "$dir" = test/e2e ] || [ "$dir" = test/files ] || [ "$dir" = test/calls ] && continue
    [ -f "$dir/package.json" ] || continue
    vitest "$dir" || status=1
  done
  return $status
}
part_size() { scripts/size.sh; }
# What tests a folder may be in Go, in TypeScript or in both.
any_language() { # limit, folders
  local limit=$1 status=0 packages
  shift
  mapfile -t packages < <(go list "${@/%//...}" 2>/dev/null)
  if [ ${#packages[@]} -gt 0 ]; then go_test "$limit" "${packages[@]}" || status=1; fi
  for dir in "$@"; do
    if [ -n "$(find "$dir" -name '*.test.ts' -not -path '*/node_modules/*' -print -quit)" ]; then
      vitest "$dir" || status=1
    elif [ ${#packages[@]} = 0 ]; then
      echo "no test in $dir" && status=1
    fi
  done
  return $status
}
part_wire() { with_built go_test 180 ./test/wire; }
part_files() { with_built go_test 240 "-parallel=$((2 * $(nproc)))" ./test/files; } # nodes wait for each other
part_calls() { any_language 100 ./test/calls; }
# Three times as many scripts as cores: they wait for most of their time.
part_script() { with_built go_test 540 "-parallel=$((3 * $(nproc)))" ./test/script; }
part_sim() { go_test 190 ./test/sim; }
part_cluster() { with_built go_test 200 ./test/cluster/...; }
part_chaos() { # one package after the other: each wants the machine
  local status=0
  with_built go_test 400 ./test/history ./test/chaos/... || status=1
  if [ -d test/move ]; then with_built go_test 180 ./test/move || status=1; fi
  return $status
}
# The chart's test is a module of its own. The first time it downloads Helm (270 MB) and builds it.
part_helm() { (cd deploy/helm/test && go vet ./...) && IN=deploy/helm/test go_test 280 -count=1 ./...; }
part_examples() { with_built any_language 220 ./examples ./test/docs; }
part_e2e() { vitest test/e2e; }

# totals adds up what the runners counted: passed, failed, skipped.
totals() { awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }' "$counts"; }

# run_part runs one part, stops it with all that it started when it takes too
# long, and says how it went.
run_part() {
  local name=$1 log=$out/$1.log status=0 begin=$SECONDS before
  before=$(totals | cut -d' ' -f2)
  if [ -n "${NEEDS[$name]:-}" ] && [ ! -e "${NEEDS[$name]}" ]; then
    if grep -qx "$name" scripts/parts-pending.txt; then
      summary+=("$(printf '%-10s %8s  not there yet' "$name" -)")
      return
    fi
    echo "${NEEDS[$name]} is missing, and scripts/parts-pending.txt does not name $name" >"$log"
    status=1
  else
    echo "== $name"
    local foreground=()
    if [ "$name" = setup ]; then foreground=(--foreground); fi # sudo may ask for a password
    timeout "${foreground[@]}" --kill-after=10 "${LIMIT[$name]}" "$0" --part "$name" >"$log" 2>&1 </dev/null || status=$?
  fi
  local took=$((SECONDS - begin)) word=ok
  if [ $status != 0 ]; then
    word=FAILED
    if [ $status = 124 ]; then word="FAILED (stopped after ${LIMIT[$name]} s)"; fi
    broken+=("$name")
    # A part that broke without a failed test is a failure all the same.
    if [ "$(totals | cut -d' ' -f2)" = "$before" ]; then echo 0 1 0 >>"$counts"; fi
    tail -n 300 "$log"
  else
    if [ "$name" = build ]; then export BUILT=$PWD/bin/skein; fi
    grep -E '^(skipped: |SDK )' "$log" || true
  fi
  mapfile -t -O ${#unsure[@]} unsure < <(grep '^passed only the second time: ' "$log")
  summary+=("$(printf '%-10s %6d s  %s' "$name" $took "$word")")
  printf '== %s: %s, %d s\n' "$name" "$word" $took
}

if [ "${1:-}" = --part ]; then
  "part_$2"
  exit
fi

wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=("${PARTS[@]}")
for name in "${wanted[@]}"; do
  [ -n "${LIMIT[$name]:-}" ] || { echo "no part $name; there are: ${PARTS[*]}" >&2; exit 2; }
done
[ -x .tools/testsum ] || go build -o .tools/ ./tools/testsum
: >"$counts"
summary=() broken=() unsure=()
for name in "${wanted[@]}"; do run_part "$name"; done

read -r passed failed skipped < <(totals)
echo
printf '%s\n' "${summary[@]}"
printf 'total      %6d s\n' "$SECONDS"
if [ "$SECONDS" -gt 1500 ]; then echo "slower than the 25 minutes that this is meant to take"; fi
[ ${#unsure[@]} -eq 0 ] || printf '%s\n' "${unsure[@]}"
if [ ${#broken[@]} -gt 0 ]; then echo "failed: ${broken[*]} (see test-output/)"; fi
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ ${#broken[@]} -eq 0 ]
