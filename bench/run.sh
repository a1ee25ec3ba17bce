#!/usr/bin/env bash
# run.sh: the workloads of regbench on Lighterage, the ceiling and CNCF
# distribution, side by side. In a round all servers are up on fresh
# directories, and each workload runs on one after the other, in an order that
# turns from round to round. Lighterage runs with its tokens on, the others
# without authentication.
#
#   PEERS   which servers (lighterage null distribution)
#   WORKS   which workloads, in this order (all but W10 and W11)
#   ROUNDS  rounds (3)         DUR  length of the timed workloads (10s)
#   SIZE    bytes of the big blob (1 GiB)
#   PORT    the one before the first server's (a random one)
#   DATA    where the servers keep their data (a temporary directory)
#   OUT     results (bench/results-<time>)
#
# Exits non-zero when a floor was missed. All servers listen on 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."

PEERS=${PEERS:-lighterage null distribution}
WORKS=${WORKS:-W1a W1b W2a W2b W3 W3p W4 W5 W5u W9a W9b W8 W7 W6a W6b W7x}
ROUNDS=${ROUNDS:-3} DUR=${DUR:-10s} SIZE=${SIZE:-1073741824}
OUT=${OUT:-bench/results-$(date +%Y%m%d-%H%M%S)}
made=
if [ -z "${DATA:-}" ]; then DATA=$(mktemp -d "${TMPDIR:-/tmp}/lighterage-bench.XXXXXX") made=$DATA; fi
PORT=${PORT:-$((20000 + RANDOM % 10000))}

AWS_ACCESS_KEY_ID=AKIALIGHTERAGEBENCH0
AWS_SECRET_ACCESS_KEY=$(head -c 30 /dev/urandom | base64)
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

declare -A pid port
finish() {
  for p in "${!pid[@]}"; do kill "${pid[$p]}" 2>/dev/null || true; done
  wait
  if [ -n "$made" ]; then rm -rf "$made"; fi
}
trap finish EXIT

# command_PEER DIR PORT sets the server's command.
command_lighterage() {
  command=(env LIGHTERAGE_ROOT_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" LIGHTERAGE_ROOT_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"
    bin/lighterage serve --data-dir "$1" --listen "127.0.0.1:$2" --log-level warn)
}
command_null() { command=(bin/nullreg -dir "$1" -listen "127.0.0.1:$2"); }
command_distribution() {
  cat >"$1/config.yml" <<Y
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $1/data, maxthreads: 100}
  cache: {blobdescriptor: inmemory}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: "127.0.0.1:$2", relativeurls: true, secret: bench}
health: {storagedriver: {enabled: false}}
Y
  command=(env OTEL_TRACES_EXPORTER=none registry serve "$1/config.yml")
}

# drive PEER FLAGS...: regbench against a running peer.
drive() {
  local peer=$1; shift
  local login=(); if [ "$peer" = lighterage ]; then login=(-login); fi
  bin/regbench -url "http://127.0.0.1:${port[$peer]}" -peer "$peer" -pid "${pid[$peer]}" "${login[@]}" "$@"
}
start() { # PEER PORT
  local dir=$DATA/$1
  rm -rf "$dir"; mkdir -p "$dir"
  "command_$1" "$dir" "$2"
  "${command[@]}" >>"$OUT/$1.log" 2>&1 &
  pid[$1]=$! port[$1]=$2
  drive "$1" -w ping >/dev/null 2>>"$OUT/$1.log" || { echo "$1 did not answer:"; tail -3 "$OUT/$1.log"; exit 1; }
}
stop() { # PEER
  kill "${pid[$1]}"; wait "${pid[$1]}" || true
  unset "pid[$1]"; rm -rf "${DATA:?}/$1"
}
turn() { # N WORDS...: the words, begun at the Nth
  local n=$1; shift
  local words=("$@") k=$((n % $#))
  echo "${words[@]:k}" "${words[@]:0:k}"
}

mkdir -p "$OUT" "$DATA"
echo "results in $OUT; $(uname -sr), $(nproc) cores"
for round in $(seq "$ROUNDS"); do
  echo "round $round of $ROUNDS, load $(cut -d' ' -f1-3 /proc/loadavg)"
  i=0
  for p in $PEERS; do i=$((i + 1)); start "$p" $((PORT + i)); done
  for w in $WORKS; do
    for p in $(turn "$round" $PEERS); do
      if [ "$w" = W5u ] && [ "$p" != lighterage ]; then continue; fi # others have no users
      sync
      drive "$p" -round "$round" -d "$DUR" -size "$SIZE" -max 40s -w "$w" >>"$OUT/results.jsonl" 2> >(grep -v '^peer ' >&2) || true
    done
  done
  for p in $PEERS; do stop "$p"; done
done
bin/regbench -report "$OUT/results.jsonl" | tee "$OUT/report.md"
