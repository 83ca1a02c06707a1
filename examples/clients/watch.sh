#!/bin/sh
# watch.sh PREFIX FILE: prints every change under a prefix. The position in FILE is where it goes on after a restart or a broken
# connection, without gap or repetition. After `compacted` list the prefix: what happened before is not known.
set -eu
url="${HOLDFAST_URL:-http://demo:8080}/v1/stores/_default/watch?prefix=$1"
token=${HOLDFAST_TOKEN_FILE:-/var/run/secrets/kubernetes.io/serviceaccount/token}
while :; do
  {
    if [ -r "$token" ]; then printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token")"; fi
    if [ -s "$2" ]; then printf 'header = "Last-Event-ID: %s"\n' "$(cat "$2")"; fi
  } | curl -sSN --fail --config - "$url" | while IFS= read -r line; do
    case $line in
      'event: '*) event=${line#event: } ;;
      'id: '*) id=${line#id: } ;;
      'data: '*) data=${line#data: } ;;
      '') # the end of an event, or of a heartbeat, which has a position only
        if [ -n "${event:-}" ]; then echo "$event ${data:-}"; fi
        if [ -n "${id:-}" ]; then echo "$id" >"$2.new" && mv "$2.new" "$2"; fi
        event='' data='' ;;
    esac
  done
  sleep 1
done
