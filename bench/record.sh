#!/usr/bin/env bash
# Runs every load and adds what each printed to bench/results/DATE.jsonl, one
# line a run: {"command": …, "result": …}. Takes about half an hour on
# two cores; nothing else should run beside it.
#
#   bench/record.sh                       SQLite, bin/skein as it was built
#   bench/record.sh postgres://…          and the loads that PostgreSQL concerns
#   MESSAGES=10000000 bench/record.sh     growth to ten million (3 GB, minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
out=bench/results/$(date -u +%F).jsonl
skein=${SKEIN:-bin/skein}
failed=0

run() {
  local result
  echo "== skein bench $*" >&2
  if ! result=$("$skein" bench "$@"); then
    failed=1
    echo "failed: skein bench $*" >&2
  fi
  [ -n "$result" ] || return 0
  local shown=$*
  [ $# -lt 2 ] || shown=${shown//postgres:\/\/*/postgres://…}
  printf '{"command":"skein bench %s","result":%s}\n' "$shown" "$result" | tee -a "$out"
}

run p2p --pairs 500 --window 16 --seconds 10 --json
run p2p --pairs 500 --window 1 --seconds 10 --json
run p2p --pairs 500 --rate 1000 --seconds 10 --json
run p2p --pairs 500 --window 16 --reads --seconds 10 --json
run p2p --pairs 500 --window 16 --tls --seconds 10 --json
run group --members 500 --window 8 --seconds 8 --json
run group --members 100000 --online 200 --json
run sync --conversations 100 --messages 10000 --quiet 5000 --json
run search --messages 1000000 --json
run upload --size 200MB --parallel 8 --json
run upload --images 1000 --size 200KB --json
run room --viewers 5000 --rate 1000 --json
run sfu --publishers 1 --subscribers 50 --kbps 1500 --json
run sfu --chat --publishers 5 --subscribers 200 --json
run idle --connections 10000 --conversations 50 --json
run growth --messages "${MESSAGES:-1000000}" --json
run startup --json
if [ $# -gt 0 ]; then
  run p2p --pairs 500 --window 16 --seconds 10 --json --db "$1"
  run group --members 500 --window 8 --seconds 8 --json --db "$1"
  run search --messages 200000 --json --db "$1"
  run idle --connections 10000 --conversations 50 --json --db "$1"
  run growth --messages "${MESSAGES:-1000000}" --json --db "$1"
fi
echo "recorded in $out" >&2
exit $failed
