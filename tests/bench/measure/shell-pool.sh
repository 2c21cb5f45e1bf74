#!/usr/bin/env bash
# A reconstruction of how a shell tool keeps the pool in Vault: every question is a request and a process of its own, the
# document and its version are read apart, and a lost race is told by the exit code alone. Only for measuring against:
# `shell-pool.sh allocate NAME`, `shell-pool.sh release NAME`.
set -euo pipefail

document="$VAULT_ADDR/v1/kv/data/ephemeral-clusters/ip-allocations"

ask() {
  curl --silent --header "X-Vault-Token: $VAULT_TOKEN" "$document"
}

allocations() {
  ask | jq --compact-output '.data.data // {}'
}

version() {
  ask | jq --raw-output '.data.metadata.version // 0'
}

put() {
  jq --null-input --argjson cas "$2" --argjson data "$1" '{options: {cas: $cas}, data: $data}' |
    curl --silent --fail --output /dev/null --request POST --header "X-Vault-Token: $VAULT_TOKEN" --data @- "$document"
}

case $1 in
allocate)
  for attempt in 1 2 3 4 5; do
    taken=$(allocations)
    held=$(jq --raw-output --arg name "$2" 'to_entries[] | select(.value == $name) | .key' <<<"$taken")
    if [ -n "$held" ]; then
      head -1 <<<"$held"
      exit 0
    fi
    at=$(version)
    for last in 140 142 144 146 148; do
      address=192.168.1.$last
      if [ "$(jq --arg address "$address" 'has($address)' <<<"$taken")" = false ]; then
        node=192.168.1.$((last + 1))
        next=$(jq --arg a "$address" --arg b "$node" --arg name "$2" '. + {($a): $name, ($b): $name}' <<<"$taken")
        if put "$next" "$at"; then
          echo "$address"
          exit 0
        fi
        sleep 1
        continue 2
      fi
    done
    exit 1
  done
  exit 1
  ;;
release)
  taken=$(allocations)
  at=$(version)
  next=$(jq --arg name "$2" 'with_entries(select(.value != $name))' <<<"$taken")
  put "$next" "$at"
  ;;
esac
