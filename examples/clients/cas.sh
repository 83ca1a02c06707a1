#!/bin/sh
# cas.sh KEY: adds one to a number that others change too. Reads it with its ETag, and writes only if that is still the newest.
set -eu
url=${HOLDFAST_URL:-http://demo:8080}/v1/stores/_default/keys/$1
token=${HOLDFAST_TOKEN_FILE:-/var/run/secrets/kubernetes.io/serviceaccount/token}
# The token goes through a pipe: arguments can be read by everybody on the machine.
ask() {
  if [ -r "$token" ]; then printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token")"; fi | curl -sS --config - "$@"
}

while :; do
  answer=$(ask -w '\n%{http_code} %header{etag}' "$url")
  status=${answer##*
}
  case $status in
    200*) value=${answer%%
*} condition="If-Match: ${status#* }" ;;
    404*) value=0 condition='If-None-Match: *' ;;
    *) echo "$answer" >&2; exit 1 ;;
  esac
  written=$(ask -o /dev/null -w '%{http_code}' -X PUT -H "$condition" --data-binary "$((value + 1))" "$url")
  case $written in
    201 | 204) echo "$((value + 1))"; exit 0 ;;
    412) ;; # somebody was faster: once more
    *) echo "PUT $url: $written" >&2; exit 1 ;;
  esac
done
