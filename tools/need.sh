#!/usr/bin/env bash
# need.sh TOOL...: see that the tools are there; what is missing is installed
# when this is root on Debian, and named otherwise. Known tools: cc postgresql
# docker skopeo aws boto3 strace busybox htpasswd crane distribution olareg.
#
# Go programs go to the cache (TOOLS_CACHE, else ~/.cache/lighterage),
# outside the work tree, and are pinned here.
set -euo pipefail

# Module, version and the folder of the program.
CRANE='github.com/google/go-containerregistry v0.22.1 cmd/crane'
DISTRIBUTION='github.com/distribution/distribution/v3 v3.1.2 cmd/registry'
OLAREG='github.com/olareg/olareg v0.1.2 cmd/olareg'
cache=${TOOLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lighterage}

has() { command -v "$1" >/dev/null 2>&1; }

# there TOOL: is it installed?
there() {
  case $1 in
    cc) has gcc || has cc ;;
    postgresql) has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
    docker) has dockerd && has docker ;;
    # The static build: what a container made of one file can run.
    busybox) has busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ;;
    boto3) python3 -c 'import boto3' 2>/dev/null || /usr/bin/python3 -c 'import boto3' 2>/dev/null ;;
    crane | distribution | olareg) pinned "$1" ;;
    skopeo | aws | strace | htpasswd) has "$1" ;;
    *) echo "need.sh: unknown tool $1" >&2; exit 2 ;;
  esac
}

# package TOOL: the Debian package that holds it.
package() {
  case $1 in
    cc) echo gcc libc6-dev ;;
    docker) echo docker.io ;;
    aws) echo awscli ;;
    boto3) echo python3-boto3 ;;
    busybox) echo busybox-static ;;
    htpasswd) echo apache2-utils ;;
    *) echo "$1" ;;
  esac
}

module() { case $1 in crane) echo "$CRANE" ;; distribution) echo "$DISTRIBUTION" ;; olareg) echo "$OLAREG" ;; esac; }

# A Go tool counts when the cache holds the pinned version; the name of the
# stamp carries it.
stamp() { read -r _ version _ < <(module "$1"); echo "$cache/bin/.$1-$version"; }
pinned() { [ -e "$(stamp "$1")" ]; }

# install_go builds a tool as what a module of nothing else requires: go install
# would also ask for the versions that there are, which not every proxy tells.
install_go() {
  local path version folder work
  read -r path version folder < <(module "$1")
  echo "need.sh: building $path/$folder $version"
  mkdir -p "$cache/bin"
  work=$(mktemp -d)
  (cd "$work" && printf 'module tool\nrequire %s %s\n' "$path" "$version" >go.mod &&
    GOFLAGS='-buildvcs=false -mod=mod' CGO_ENABLED=0 go build -o "$cache/bin/" "$path/$folder") || { rm -rf "$work"; return 1; }
  rm -rf "$work"
  touch "$(stamp "$1")"
}

missing=()
for tool in "$@"; do
  if there "$tool"; then continue; fi
  case $tool in
    crane | distribution | olareg) install_go "$tool" ;;
    *) read -ra names <<<"$(package "$tool")"; missing+=("${names[@]}") ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
  echo "need.sh: please install what these Debian packages hold: ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "need.sh: installing ${missing[*]}"
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
for tool in "$@"; do
  there "$tool" || { echo "need.sh: $tool is still missing" >&2; exit 1; }
done
