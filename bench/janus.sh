#!/usr/bin/env bash
# Holds what forwarding costs here against Janus (VideoRoom), load by load: the
# same clients in the same process, ours and Janus in turns, twice each. Prints a
# table and adds the raw figures to bench/results/DATE.jsonl. Four minutes, on a
# machine that does nothing else; Janus has to be installed (Debian: apt-get
# install --no-install-recommends janus) and needs no configuration.
#
#   bench/janus.sh             SECONDS_EACH=15, the loads of the table
#   SKEIN=path bench/janus.sh  another program than bin/skein
set -euo pipefail
cd "$(dirname "$0")/.."
command -v janus >/dev/null || { echo "there is no janus on PATH" >&2; exit 1; }
out=bench/results/$(date -u +%F).jsonl
skein=${SKEIN:-bin/skein}

row='. as $r | def f(x): (x*100|round)/100|tostring;
  ["ours", $r], ["Janus \($r.janus.version)", $r.janus]
  | "| \($load) | \(.[0]) | \(f(.[1].server_cpu_s_per_gbit)) | \(f(.[1].added_latency_ms.p50)) / \(f(.[1].added_latency_ms.p99)) | \(f(.[1].loss_percent)) | \(.[1].rss_kb_per_participant) | \(.[1].join_ms.p50|round) / \(.[1].join_ms.p99|round) | \(f(.[1].mbit_per_s)) | \(if .[0] == "ours" then f($r.janus_ratio) else "" end) |"'
rows=()
for load in "1 50 1500" "1 10 1500" "3 10 500"; do
  read -r publishers subscribers kbps <<<"$load"
  args=(sfu --publishers "$publishers" --subscribers "$subscribers" --kbps "$kbps" --seconds "${SECONDS_EACH:-15}" --json)
  echo "== skein bench ${args[*]}" >&2
  result=$("$skein" bench "${args[@]}")
  printf '{"command":"skein bench %s","result":%s}\n' "${args[*]}" "$result" >>"$out"
  rows+=("$(jq -r --arg load "$publishers → $subscribers, $kbps kbit/s" "$row" <<<"$result")")
done
echo "| load | server | CPU s a Gbit | delay p50 / p99 ms | loss % | resident KB a participant | join p50 / p99 ms | Mbit/s | ratio |"
echo "|---|---|---|---|---|---|---|---|---|"
printf '%s\n' "${rows[@]}"
