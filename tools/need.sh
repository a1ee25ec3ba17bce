#!/usr/bin/env bash
# need.sh TOOL...: see that the tools are there; what is missing is installed
# when this is root on Debian, and named otherwise. Known tools: those of the
# tables below, and cc postgresql docker skopeo aws aws2 boto3 strace busybox
# htpasswd podman buildah jq openssl curl iproute2 javascript.
#
# Go programs and node_modules go to the cache (TOOLS_CACHE, else
# ~/.cache/lighterage), outside the work tree, and are pinned here.
set -euo pipefail

# Module, version and the folder of each Go program; "itself" for what builds
# only as the main module, with the replacements that its own go.mod names.
declare -A programs=(
  [crane]='github.com/google/go-containerregistry v0.22.1 cmd/crane'
  [distribution]='github.com/distribution/distribution/v3 v3.1.2 cmd/registry'
  [olareg]='github.com/olareg/olareg v0.1.2 cmd/olareg'
  [regctl]='github.com/regclient/regclient v0.11.7 cmd/regctl'
  [oras]='oras.land/oras v1.2.3 cmd/oras'
  [helm]='helm.sh/helm/v3 v3.22.0 cmd/helm'
  [cosign]='github.com/sigstore/cosign/v2 v2.6.5 cmd/cosign'
  [notation]='github.com/notaryproject/notation v1.3.2 cmd/notation'
  [ko]='github.com/google/ko v0.19.1'
  [ecr-login]='github.com/awslabs/amazon-ecr-credential-helper/ecr-login v0.12.0 cli/docker-credential-ecr-login'
  [buildkitd]='github.com/moby/buildkit v0.23.2 cmd/buildkitd'
  [buildctl]='github.com/moby/buildkit v0.23.2 cmd/buildctl'
  [trivy]='github.com/aquasecurity/trivy v0.67.2 cmd/trivy'
  [tofu]='github.com/opentofu/opentofu v1.12.6 cmd/tofu itself'
  [ecr-credential-provider]='k8s.io/cloud-provider-aws v1.37.0 cmd/ecr-credential-provider'
)
# What the clients in JavaScript are.
packages=(@aws-sdk/client-ecr@3.1169.0 @aws-sdk/client-lightsail@3.1169.0 @aws-sdk/client-iam@3.1169.0 cdk-assets@4.7.3)
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
    # Version 2 of the command line, beside which version 1 may be installed.
    aws2) [[ $(/usr/bin/aws --version 2>/dev/null) == aws-cli/2* ]] ;;
    iproute2) has ip ;;
    javascript) [ -e "$cache/npm/.$(echo "${packages[*]}" | cksum | tr ' ' -)" ] ;;
    skopeo | aws | strace | htpasswd | podman | buildah | jq | openssl | curl) has "$1" ;;
    *) [ -n "${programs[$1]:-}" ] || { echo "need.sh: unknown tool $1" >&2; exit 2; }
       [ -e "$(stamp "$1")" ] ;;
  esac
}

# package TOOL: the Debian package that holds it.
package() {
  case $1 in
    cc) echo gcc libc6-dev ;;
    docker) echo docker.io ;;
    aws | aws2) echo awscli ;;
    boto3) echo python3-boto3 ;;
    busybox) echo busybox-static ;;
    htpasswd) echo apache2-utils ;;
    podman) echo podman runc ;;
    *) echo "$1" ;;
  esac
}

# A Go tool counts when the cache holds the pinned version; the name of the
# stamp carries it.
stamp() { read -r _ version _ <<<"${programs[$1]}"; echo "$cache/bin/.$1-$version"; }

# install_go builds a tool as what a module of nothing else requires: go install
# would also ask for the versions that there are, which not every proxy tells.
install_go() (
  set -euo pipefail
  read -r path version folder how <<<"${programs[$1]}"
  echo "need.sh: building $path $version"
  mkdir -p "$cache/bin"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  export GOFLAGS='-buildvcs=false -mod=mod' CGO_ENABLED=0 GOEXPERIMENT=jsonv2 # trivy wants jsonv2
  printf 'module tool\ngo 1.26\nrequire %s %s\n' "$path" "$version" >go.mod
  if [ "$how" = itself ]; then
    go mod download "$path"
    cp -r "$(go list -m -f '{{.Dir}}' "$path")" itself
    chmod -R u+w itself
    cd itself
  fi
  go build -o "$cache/bin/" "$path${folder:+/$folder}"
  touch "$(stamp "$1")"
)

# install_javascript leaves the packages in $cache/npm/node_modules.
install_javascript() {
  has npm || { echo "need.sh: please install node and npm" >&2; return 1; }
  echo "need.sh: installing ${packages[*]}"
  rm -rf "$cache/npm"
  mkdir -p "$cache/npm"
  (cd "$cache/npm" && echo '{"private": true}' >package.json && npm install --silent --no-audit --no-fund "${packages[@]}" >/dev/null)
  touch "$cache/npm/.$(echo "${packages[*]}" | cksum | tr ' ' -)"
}

missing=()
for tool in "$@"; do
  if there "$tool"; then continue; fi
  if [ -n "${programs[$tool]:-}" ]; then
    install_go "$tool"
  elif [ "$tool" = javascript ]; then
    install_javascript
  else
    read -ra names <<<"$(package "$tool")"
    missing+=("${names[@]}")
  fi
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
