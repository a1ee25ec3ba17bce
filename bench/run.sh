#!/usr/bin/env bash
# run.sh: the workloads of regbench on Lighterage, the ceiling and other
# registries, side by side. In a round all servers are up on fresh directories,
# and each workload runs on one after the other, in an order that turns from
# round to round. Lighterage runs with its tokens on, the others without
# authentication. The works of TLS (W13) have servers of their own after that.
#
#   PEERS   which servers (lighterage null distribution olareg, and zot when it
#           is on PATH); another one, NAME, starts with NAME_COMMAND, in which
#           %D is its directory and %P its port
#   WORKS   which workloads, in this order, or "big": 100,000 tags in one
#           repository and 100,000 repositories
#   ROUNDS  rounds (3)         DUR  length of the timed workloads (10s)
#   SIZE    bytes of the big blob (1 GiB)
#   PORT    the one before the first server's (a random one)
#   BIN     where the programs of the project are (bin)
#   DATA    where the servers keep their data (a temporary directory)
#   OUT     results (bench/results-<time>)
#
# Exits non-zero when a floor was missed. All servers listen on 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."

PEERS=${PEERS:-lighterage null distribution olareg $(command -v zot >/dev/null && echo zot || true)}
WORKS=${WORKS:-W1a W1b W1c W2a W2b W3 W3p W4 W4l W5 W5u W9a W9b W8 W12a W12b W12c W12d W12e W12f W7 W6a W6b W7x W16 W11 W13a W13b W13c W10}
if [ "$WORKS" = big ]; then
  WORKS="W3 W5 W12a W14a W14b W14c W14d W14e W14f W15a W15b W15c W15d W15e W10x"
fi
ROUNDS=${ROUNDS:-3} DUR=${DUR:-10s} SIZE=${SIZE:-1073741824} BIN=${BIN:-bin}
OUT=${OUT:-bench/results-$(date +%Y%m%d-%H%M%S)}
made=
if [ -z "${DATA:-}" ]; then DATA=$(mktemp -d "${TMPDIR:-/tmp}/lighterage-bench.XXXXXX") made=$DATA; fi
PORT=${PORT:-$((20000 + RANDOM % 10000))}

AWS_ACCESS_KEY_ID=AKIALIGHTERAGEBENCH0
AWS_SECRET_ACCESS_KEY=$(head -c 30 /dev/urandom | base64)
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

declare -A pid port
tls= # the directory of the servers' certificate while they have one
finish() {
  for p in "${!pid[@]}"; do kill "${pid[$p]}" 2>/dev/null || true; done
  wait
  if [ -n "$made" ]; then rm -rf "$made"; fi
}
trap finish EXIT

# command_PEER DIR PORT sets the server's command.
command_lighterage() {
  command=(env LIGHTERAGE_ROOT_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" LIGHTERAGE_ROOT_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"
    "$BIN/lighterage" serve --data-dir "$1" --listen "127.0.0.1:$2" --log-level warn --quotas repositories-per-registry=200000
    ${tls:+--tls-cert "$tls/cert.pem" --tls-key "$tls/key.pem"})
}
command_null() { command=("$BIN/nullreg" -dir "$1" -listen "127.0.0.1:$2" ${tls:+-tls-cert "$tls/cert.pem" -tls-key "$tls/key.pem"}); }
command_distribution() {
  local https=; if [ -n "$tls" ]; then https=", tls: {certificate: $tls/cert.pem, key: $tls/key.pem}"; fi
  cat >"$1/config.yml" <<Y
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $1/data, maxthreads: 100}
  cache: {blobdescriptor: inmemory}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: "127.0.0.1:$2", relativeurls: true, secret: bench$https}
health: {storagedriver: {enabled: false}}
Y
  command=(env OTEL_TRACES_EXPORTER=none registry serve "$1/config.yml")
}
command_olareg() {
  mkdir -p "$1/data"
  command=(olareg serve -v warn --addr 127.0.0.1 --port "$2" --dir "$1/data" --api-delete --api-blob-delete
    ${tls:+--tls-cert "$tls/cert.pem" --tls-key "$tls/key.pem"})
}
# zotsync is zot that writes files durably.
command_zot() { zot_of "$1" "$2" false; }
command_zotsync() { zot_of "$1" "$2" true; }
zot_of() {
  local https=; if [ -n "$tls" ]; then https=", \"tls\": {\"cert\": \"$tls/cert.pem\", \"key\": \"$tls/key.pem\"}"; fi
  cat >"$1/config.json" <<J
{"distSpecVersion": "1.1.1",
 "storage": {"rootDirectory": "$1/data", "commit": $3, "dedupe": true, "gc": true},
 "http": {"address": "127.0.0.1", "port": "$2"$https},
 "log": {"level": "warn", "output": "$1/zot.log"}}
J
  command=(zot serve "$1/config.json")
}
command_other() { # PEER DIR PORT
  local name=${1}_COMMAND
  local line=${!name:?"is not set, and $1 is not known"}
  line=${line//%D/$2}
  read -ra command <<<"${line//%P/$3}"
}
command_of() { # PEER
  local dir=$DATA/$1
  if declare -F "command_$1" >/dev/null; then "command_$1" "$dir" "${port[$1]}"; else command_other "$1" "$dir" "${port[$1]}"; fi
}

# drive PEER FLAGS...: regbench against a running peer.
drive() {
  local peer=$1; shift
  local login=(); if [ "$peer" = lighterage ]; then login=(-login); fi
  "$BIN/regbench" -url "http${tls:+s}://127.0.0.1:${port[$peer]}" ${tls:+-ca "$tls/cert.pem"} -peer "$peer" -pid "${pid[$peer]:-0}" "${login[@]}" "$@"
}
# measure PEER ROUND WORK WORDS...: one line of results.
measure() {
  local peer=$1 round=$2 work=$3 cap=40s; shift 3
  case $work in W7 | W11 | seed) cap=2m ;; W14* | W15*) cap=10m ;; esac
  sync
  drive "$peer" -round "$round" -d "$DUR" -size "$SIZE" -max "$cap" -w "$work" "$@" >>"$OUT/results.jsonl" 2> >(grep -v '^peer ' >&2) || true
}
start() { # PEER: on what its directory holds
  mkdir -p "$DATA/$1"
  command_of "$1"
  "${command[@]}" >>"$OUT/$1.log" 2>&1 &
  pid[$1]=$!
  drive "$1" -w ping >/dev/null 2>>"$OUT/$1.log" || { echo "$1 did not answer:"; tail -3 "$OUT/$1.log"; exit 1; }
}
stop() { # PEER
  kill "${pid[$1]}"; wait "${pid[$1]}" || true
  unset "pid[$1]"
}
turn() { # N WORDS...: the words, begun at the Nth
  local n=$1; shift
  local words=("$@") k=$((n % $#))
  echo "${words[@]:k}" "${words[@]:0:k}"
}

# restart PEER ROUND WORK: W10 and W10x, which start the server themselves.
restart() {
  if [ "$1" = null ]; then return; fi # remembers nothing
  if [ "$3" = W10x ] && [ "$1" != lighterage ]; then return; fi # has no W15
  if [ "$3" = W10 ]; then measure "$1" "$2" seed; fi
  stop "$1"
  command_of "$1"
  measure "$1" "$2" "$3" -- "${command[@]}"
  start "$1"
}
# run_works ROUND WORKS...: on fresh servers.
run_works() {
  local round=$1 i=0; shift
  for p in $PEERS; do i=$((i + 1)); port[$p]=$((PORT + i)); rm -rf "${DATA:?}/$p"; start "$p"; done
  for w in "$@"; do
    for p in $(turn "$round" $PEERS); do
      case $w in W10*) restart "$p" "$round" "$w" ;; *) measure "$p" "$round" "$w" ;; esac
    done
  done
  for p in $PEERS; do stop "$p"; rm -rf "${DATA:?}/$p"; done
}

mkdir -p "$OUT" "$DATA"
DATA=$(cd "$DATA" && pwd)
plain=() secure=()
for w in $WORKS; do case $w in W13*) secure+=("$w") ;; *) plain+=("$w") ;; esac; done
echo "results in $OUT; $(uname -sr), $(nproc) cores"
for round in $(seq "$ROUNDS"); do
  echo "round $round of $ROUNDS, load $(cut -d' ' -f1-3 /proc/loadavg)"
  tls=
  if [ ${#plain[@]} -gt 0 ]; then run_works "$round" "${plain[@]}"; fi
  if [ ${#secure[@]} -gt 0 ]; then
    tls=$DATA/tls
    mkdir -p "$tls"
    "$BIN/regbench" -certificate "$tls"
    run_works "$round" "${secure[@]}"
  fi
done
"$BIN/regbench" -report "$OUT/results.jsonl" | tee "$OUT/report.md"
