#!/usr/bin/env bash
# A reconstruction of how a shell tool brings an environment up: one step after the other, each request a process, what
# kubectl can wait for by `kubectl wait`, all else by asking again and again. Only for measuring against:
# `shell-up.sh DIRECTORY`, with the example's files in the directory, and the variables that are read below.
#
# The tool asks every 5 s; here that is 0.25 s, scaled down 20:1 as the infrastructure of the bench is. What processes cost
# is not scaled, neither here nor for berth. To its favour the image is built beside the boot, not after it, and the name is
# asked of its own server, which keeps no denials. Where the tool goes on without an answer, this ends with an error.
set -euo pipefail

pause=0.25
here=$(dirname "$0")
cd "$1"

again() {
  local tries
  for ((tries = 0; tries < 240; tries++)); do
    if "$@"; then return; fi
    sleep "$pause"
  done
  echo "in vain: $*" >&2
  return 1
}

management() { kubectl --server "$MANAGEMENT" "$@"; }
environment() { kubectl --kubeconfig kubeconfig "$@"; }
vault() { curl --silent --fail --header "X-Vault-Token: $VAULT_TOKEN" "$@"; }

documents="$VAULT_ADDR/v1/kv/data/ephemeral-clusters"
CLUSTER_NAME="pr-$REPOSITORY-$PR_NUMBER"
host="pr-$PR_NUMBER-$REPOSITORY.$DOMAIN"
tag="pr-$PR_NUMBER-$HEAD_SHA"

# An address.
taken=$(vault "$documents/ip-allocations" | jq '.data.data | length')
[ "$taken" -lt 10 ] || { echo "all addresses are taken" >&2 && exit 1; }
CLUSTER_IP=$(bash "$here/shell-pool.sh" allocate "$CLUSTER_NAME")
NODE_IP="${CLUSTER_IP%.*}.$((${CLUSTER_IP##*.} + 1))"

# The cluster.
sed -e "s|\${CLUSTER_NAME}|$CLUSTER_NAME|g" -e "s|\${CLUSTER_IP}|$CLUSTER_IP|g" -e "s|\${NODE_IP}|$NODE_IP|g" \
  -e "s|\${PR_NUMBER}|$PR_NUMBER|g" -e "s|\${REPOSITORY}|$REPOSITORY|g" "$here/timeline/cluster.yaml.tpl" >cluster.yaml
management apply --validate=false --filename cluster.yaml
management get secret proxmox-credentials --namespace dev --output json |
  jq 'del(.metadata["namespace","uid","resourceVersion","creationTimestamp","ownerReferences","finalizers"])' |
  management apply --validate=false --namespace "$CLUSTER_NAME" --filename -
management wait --for=condition=Available "cluster/$CLUSTER_NAME" --namespace "$CLUSTER_NAME" --timeout=5m

# The way in.
management get secret "$CLUSTER_NAME-kubeconfig" --namespace "$CLUSTER_NAME" --output 'jsonpath={.data.value}' |
  base64 --decode >kubeconfig
jq --null-input --rawfile value kubeconfig '{data: {$value}}' |
  vault --output /dev/null --request POST --data @- "$documents/$CLUSTER_NAME/kubeconfig"

# Secrets.
registry=$(vault "$documents/$CLUSTER_NAME/secrets")
environment create secret generic registry --namespace default --dry-run=client --output yaml \
  --from-literal="username=$(jq --raw-output .data.data.username <<<"$registry")" \
  --from-literal="password=$(jq --raw-output .data.data.password <<<"$registry")" |
  environment apply --validate=false --filename -

# First what others need, then what needs it.
environment apply --validate=false --filename "$here/timeline/operators.yaml"
for chart in cert-manager external-dns; do
  environment wait --for=condition=Complete "job/helm-install-$chart" --namespace kube-system --timeout=3m
done
for deployment in cert-manager cert-manager-webhook cert-manager-cainjector; do
  environment wait --for=condition=Available "deployment/$deployment" --namespace cert-manager --timeout=3m
done
environment wait --for=condition=Available deployment/external-dns --namespace external-dns --timeout=3m
environment wait --for=condition=Established --timeout=3m \
  crd/certificates.cert-manager.io crd/clusterissuers.cert-manager.io
environment apply --validate=false --filename resources/issuer.yaml

# The app, once its image is there.
is_pushed() { curl --silent --fail --head --output /dev/null "$REGISTRY/v2/shop/manifests/$tag"; }
again is_pushed
sed -e "s|image: shop$|image: harbor.example.com/shop:$tag|" -e "s|shop.dev.example.com|$host|" \
  -e "s|\${ADDRESS}|$CLUSTER_IP|" app/shop.yaml |
  environment apply --validate=false --namespace default --filename -
environment rollout status deployment/shop --namespace default --timeout=5m

# Its name, and its answer.
is_led_here() { $DIG "$host" | grep --quiet --line-regexp "$CLUSTER_IP"; }
again is_led_here
answers() { curl --silent --fail --output /dev/null --header "Host: $host" "$APP/healthz"; }
again answers

# Its tests.
sed -e "s|\${HEAD_SHA}|$HEAD_SHA|" -e "s|\${URL}|https://$host|" tests.yaml |
  environment apply --validate=false --namespace default --filename -
environment wait --for=condition=Complete job/shop-tests --namespace default --timeout=20m
environment logs --selector=job-name=shop-tests --tail=-1 --namespace default | grep 'testcase name="cart adds an item"'
