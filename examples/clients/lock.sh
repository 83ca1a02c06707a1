#!/bin/sh
# lock.sh LOCK KEY VALUE: writes while holding a lock. The fence has the write refused (412) if the lock went to somebody else
# meanwhile, however long this process was stopped.
set -eu
store=${HOLDFAST_URL:-http://demo:8080}/v1/stores/_default
token=${HOLDFAST_TOKEN_FILE:-/var/run/secrets/kubernetes.io/serviceaccount/token}
# The token goes through a pipe: arguments can be read by everybody on the machine.
ask() {
  if [ -r "$token" ]; then printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token")"; fi |
    curl -sS --fail-with-body --config - "$@"
}

held=$(ask -X POST --json '{"owner":"lock.sh","ttl":"30s","wait":"10s"}' "$store/locks/$1")
lease=$(expr "$held" : '.*"lease":"\([^"]*\)"')
fence=$(expr "$held" : '.*"token":"*\([0-9]*\)')
trap 'ask -X DELETE "$store/locks/$1?lease=$lease"' EXIT
ask -X PUT -H "Holdfast-Fence: $1=$fence" --data-binary "$3" "$store/keys/$2"
echo "$fence"
