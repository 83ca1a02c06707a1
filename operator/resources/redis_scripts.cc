// What the scripts in the pods of a Redis backend with sentinels share, the sentinels' and the probes: POSIX sh with
// redis-cli and coreutils. A password is never an argument of a program: it goes from `cat` into redis-cli's
// environment, and through printf, which the shell runs itself, into a file on a volume in memory or of the sentinel's
// own. The servers' are in redis_server_scripts.cc.
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

constexpr char kSharedScript[] = R"sh(# ask.sh: what the other scripts share.

# ask USER HOST PORT COMMAND...: the answer, within two seconds.
ask() {
  ask_as=$1 ask_host=$2 ask_port=$3
  shift 3
  REDISCLI_AUTH=$(cat "$CREDENTIALS_DIR/$ask_as-password") timeout 2 redis-cli -e -h "$ask_host" -p "$ask_port" \
    --tls --cacert "$TLS_DIR/ca.crt" --user "$ask_as" "$@" 2>/dev/null </dev/null
}

# ask_self COMMAND...: the server of this pod, which nobody else may reach yet.
ask_self() {
  REDISCLI_AUTH=$(cat "$CREDENTIALS_DIR/keeper-password") timeout 2 redis-cli -e -s "$RUN_DIR/redis.sock" \
    --user keeper "$@" 2>/dev/null </dev/null
}

# find_master USER: what the newest of the sentinels that answer says, in $master and $epoch; what any of them says of the
# state of the master it knows, in $flags; for how many milliseconds it has been down to each of them at least, in $down;
# what they wait for before that, in $down_after; how many of them answer, in $answered of $sentinels. An error without
# a majority.
find_master() {
  answered=0 sentinels=0 master='' epoch=-1 flags='' down='' down_after=0
  while read -r find_host; do
    sentinels=$((sentinels + 1))
    ask "$1" "$find_host" "$SENTINEL_PORT" sentinel master "$MASTER_NAME" >"$RUN_DIR/answer" || continue
    found='' found_epoch='' found_flags='' found_down=0
    while IFS= read -r name && IFS= read -r value; do
      case $name in
        ip) found=$value ;;
        flags) found_flags=$value ;;
        config-epoch) found_epoch=$value ;;
        s-down-time) found_down=$value ;;
        down-after-milliseconds) down_after=$value ;;
      esac
    done <"$RUN_DIR/answer"
    case $found_epoch in
      '' | *[!0-9]*) continue ;;
    esac
    [ -n "$found" ] || continue
    answered=$((answered + 1)) flags=$flags,$found_flags
    [ -n "$down" ] && [ "$down" -le "$found_down" ] || down=$found_down
    if [ "$found_epoch" -gt "$epoch" ]; then
      master=$found epoch=$found_epoch
    fi
  done <"$CONFIG_DIR/sentinels"
  [ $((answered * 2)) -gt "$sentinels" ]
}

# say WHAT: once, as long as it is the same.
say() {
  [ "$said" = "$1" ] || echo "${0##*/}: $1"
  said=$1
}
said=''
)sh";

constexpr char kSentinelProbeScript[] = R"sh(#!/bin/sh
# probe-sentinel.sh ready|alive
export REDIS_PORT="$SENTINEL_PORT"
# There is no sentinel yet: sentinel.sh waits, and says for what.
[ -e "$RUN_DIR/serves" ] || [ "$1" != alive ] || exit 0
exec sh "$CONFIG_DIR/probe.sh" "$1"
)sh";

// Sentinels keep what they know in their configuration file. It is written anew at every start: what is ours may have
// changed, passwords among it; what is theirs is kept.
constexpr char kSentinelScript[] = R"sh(#!/bin/sh
# sentinel.sh: puts the sentinel's file together and becomes the sentinel.
set -u
umask 077
. "$CONFIG_DIR/ask.sh"
self=$POD_NAME.$POD_NAMESPACE.svc
live=$DATA_DIR/sentinel.conf
known=$RUN_DIR/known
rm -f "$RUN_DIR/serves"
trap 'exit 143' TERM INT

monitored=''
: >"$known"
if [ -e "$live" ]; then
  while IFS= read -r line; do
    case $line in
      "sentinel monitor $MASTER_NAME "*)
        monitored=${line#"sentinel monitor $MASTER_NAME "}
        monitored=${monitored%% *}
        ;;
      'sentinel myid '* | 'sentinel current-epoch '* | "sentinel config-epoch $MASTER_NAME "* | \
      "sentinel leader-epoch $MASTER_NAME "* | "sentinel known-replica $MASTER_NAME "* | \
      "sentinel known-sentinel $MASTER_NAME "*)
        printf '%s\n' "$line" >>"$known"
        ;;
    esac
  done <"$live"
fi

# The server that says that it is the master, if exactly one does.
ask_servers() {
  says=''
  while read -r host; do
    case $(ask sentinel "$host" "$REDIS_PORT" role) in
      master*)
        [ -z "$says" ] || return 1
        says=$host
        ;;
    esac
  done <"$CONFIG_DIR/servers"
  [ -n "$says" ]
}

while [ -z "$monitored" ]; do
  find_master sentinel
  if [ -n "$master" ]; then
    monitored=$master
  elif ask_servers; then
    monitored=$says
  elif [ "$(cat "$CREDENTIALS_DIR/initialized")" = no ]; then
    monitored=$(head -n 1 "$CONFIG_DIR/servers")
  else
    say "waits: this sentinel knows no master, and neither another sentinel nor exactly one server names one"
    sleep 1
  fi
done

# A sentinel elects nobody it does not know, and asks the master for its replicas only every ten seconds: who joined in
# between would be left out, and left behind with the former master.
while read -r host; do
  line="sentinel known-replica $MASTER_NAME $host $REDIS_PORT"
  [ "$host" != "$monitored" ] || continue
  while IFS= read -r other; do
    [ "$other" != "$line" ] || continue 2
  done <"$known"
  printf '%s\n' "$line" >>"$known"
done <"$CONFIG_DIR/servers"

{
  cat "$CONFIG_DIR/sentinel.conf"
  printf 'bind %s\nsentinel announce-ip %s\n' "$POD_IP" "$self"
  printf 'sentinel sentinel-user sentinel\nsentinel sentinel-pass %s\n' "$(cat "$CREDENTIALS_DIR/sentinel-password")"
  printf 'sentinel monitor %s %s %s %s\n' "$MASTER_NAME" "$monitored" "$REDIS_PORT" "$QUORUM"
  printf 'sentinel auth-user %s sentinel\n' "$MASTER_NAME"
  printf 'sentinel auth-pass %s %s\n' "$MASTER_NAME" "$(cat "$CREDENTIALS_DIR/sentinel-password")"
  cat "$known"
} >"$live.new"
mv "$live.new" "$live"
trap - TERM INT
: >"$RUN_DIR/serves"
sh "$CONFIG_DIR/follow.sh" sentinel $$ sentinel sentinel-users.acl \
  -h "$POD_IP" -p "$SENTINEL_PORT" --tls --cacert "$TLS_DIR/ca.crt" &
exec redis-server "$live" --sentinel
)sh";

}  // namespace

kube::Json SentinelScripts() {
  kube::Json scripts = SentinelServerScripts();
  scripts["ask.sh"] = kSharedScript;
  scripts["sentinel.sh"] = kSentinelScript;
  scripts["probe-sentinel.sh"] = kSentinelProbeScript;
  return scripts;
}

}  // namespace holdfast::resources
