#!/usr/bin/env bash
# Says where a message's microseconds go: adds a CPU profile of the server up
# by what the work is for.
#
#   bin/skein serve … --admin-listen 127.0.0.1:9090     under load, then
#   curl -so cpu.pb 'http://127.0.0.1:9090/debug/pprof/profile?seconds=5'
#   bench/where.sh bin/skein cpu.pb [µs a message, to scale the column]
#
# A sample counts once: for the first of these that its stack has in it.
set -euo pipefail
go tool pprof -traces "$1" "$2" 2>/dev/null | awk -v total_us="${3:-0}" '
function flush() {
  if (value == 0) return
  if      (stack ~ /gcBgMarkWorker|gcAssistAlloc|bgsweep|bgscavenge|gcStart/)     name = "garbage collection"
  else if (stack ~ /\(\*lite\)\.checkpoint/)                                      name = "checkpoints: the log into the file"
  else if (stack ~ /\(\*liteTx\)\.run/ && stack ~ /WalFrames|CommitPhase|unixSync|Fsync|Fdatasync|VdbeHalt/) name = "commit: the log written and synced"
  else if (stack ~ /\(\*lite\)\.write/ && stack ~ /sqlite|liteTx|libc/)           name = "SQLite: rows and indexes"
  else if (stack ~ /pgTxn|pgStore|pgx/)                                           name = "PostgreSQL: its client"
  else if (stack ~ /\(\*writer\)\.commit|\(\*plan\)/)                             name = "numbers, preconditions, hashes"
  else if (stack ~ /fanout/ && stack ~ /Audience/ && stack !~ /session\)\.handle/) name = "who is to get it"
  else if (stack ~ /fanout/)                                                      name = "fan-out: queueing to sessions"
  else if (stack ~ /session\)\.write|WriteBuffers/)                               name = "writing sockets"
  else if (stack ~ /writer\)\.answers/)                                           name = "answering senders"
  else if (stack ~ /Pipe\)\.Submit|fxSubmit/)                                     name = "deciding and queueing a send"
  else if (stack ~ /decodePacket/)                                                name = "decoding"
  else if (stack ~ /ReadMessage/)                                                 name = "reading sockets"
  else if (stack ~ /session\)\./)                                                 name = "the session\x27s machine"
  else if (stack ~ /\/follow\.|\/job\./)                                          name = "followers and jobs"
  else if (stack ~ /mcall|schedule|findRunnable|netpoll|futex|mstart|goexit0/)    name = "scheduling goroutines"
  else                                                                            name = "the rest"
  sum[name] += value; all += value
}
/^-+\+-+$/ { flush(); value = 0; stack = ""; next }
/^ *[0-9.]+(ms|s|us|µs) / && value == 0 {
  value = $1 + 0
  if ($1 ~ /[0-9]s$/) value *= 1000
  if ($1 ~ /us$|µs$/) value /= 1000
  stack = $2; next
}
{ stack = stack " " $1 }
END {
  flush()
  for (n in sum) printf "%5.1f %%  %6.2f µs  %s\n", 100 * sum[n] / all, total_us * sum[n] / all, n | "sort -rn"
}'
