// The first processes of the pods of a Redis backend with sentinels: POSIX sh with redis-cli and coreutils. A password
// is never an argument of a program: it goes from `cat` into redis-cli's environment, and through printf, which the
// shell runs itself, into a file on a volume in memory or of the sentinel's own.
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

# find_master USER: what the newest of the sentinels that answer says, in $master and $epoch; what any of them says of the
# state of the master it knows, in $flags; how many of them answer, in $answered of $sentinels. An error without a
# majority.
find_master() {
  answered=0 sentinels=0 master='' epoch=-1 flags=''
  while read -r find_host; do
    sentinels=$((sentinels + 1))
    ask "$1" "$find_host" "$SENTINEL_PORT" sentinel master "$MASTER_NAME" >"$RUN_DIR/answer" || continue
    found='' found_epoch='' found_flags=''
    while IFS= read -r name && IFS= read -r value; do
      case $name in
        ip) found=$value ;;
        flags) found_flags=$value ;;
        config-epoch) found_epoch=$value ;;
      esac
    done <"$RUN_DIR/answer"
    case $found_epoch in
      '' | *[!0-9]*) continue ;;
    esac
    [ -n "$found" ] || continue
    answered=$((answered + 1)) flags=$flags,$found_flags
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

constexpr char kStartScript[] = R"sh(#!/bin/sh
# start.sh: decides whether the server starts as the master or as a replica, and stays beside it. Redis alone would
# start as what its volume says, and with an empty one as a master without data, which its replicas then copy.
set -u
umask 077
. "$CONFIG_DIR/ask.sh"
self=$POD_NAME.$POD_NAMESPACE.svc
conf=$RUN_DIR/redis.conf
# There as soon as the volume holds what was a master's, or was in step with one.
held=$DATA_DIR/holds-data
rm -f "$conf"
trap 'exit 143' TERM INT

has_data() {
  [ -e "$held" ] && [ -e "$DATA_DIR/appendonlydir" ]
}

# A peer that serves entries was there before us.
a_peer_has_data() {
  while read -r peer; do
    [ "$peer" = "$self" ] && continue
    case $(ask keeper "$peer" "$REDIS_PORT" info keyspace) in
      *db0:keys=*) return 0 ;;
    esac
  done <"$CONFIG_DIR/servers"
  return 1
}

role=''
while [ -z "$role" ]; do
  if ! find_master keeper; then
    say "waits: $answered of $sentinels sentinels answer, and most of them have to say who is the master"
  elif [ "$master" != "$self" ]; then
    role=replica
  elif has_data; then
    case $flags in
      *failover_in_progress*) say "waits until the failover that the sentinels have begun is over" ;;
      *) role=master ;;
    esac
  elif [ "$(cat "$CREDENTIALS_DIR/initialized")" != no ]; then
    say "waits: the sentinels name this server as the master, but its volume is empty: as the master it would empty \
the others too. A replica takes over when one was in step; if all data is lost, see docs/runbooks.md"
  elif a_peer_has_data; then
    say "waits: the sentinels name this server as the master, but its volume is empty and another server has data"
  else
    # There never was a master, and the sentinels agree on this server: of a new cluster on the first (sentinel.sh).
    role=master
  fi
  [ -n "$role" ] || sleep 1
done
say "starts as $role; the sentinels name $master (epoch $epoch)"

{
  printf 'include %s\nbind %s\n' "$CONFIG_DIR/redis.conf" "$POD_IP"
  printf 'replica-announce-ip %s\n' "$self"
  printf 'masteruser replicator\nmasterauth %s\n' "$(cat "$CREDENTIALS_DIR/replication-password")"
  # Nobody elects a server before it has been in step: what is on its volume may be old, or nothing.
  [ "$role" = master ] || printf 'replicaof %s %s\nreplica-priority 0\n' "$master" "$REDIS_PORT"
} >"$conf.new"
mv "$conf.new" "$conf"

leaving=''
trap 'leaving=yes' TERM INT
redis-server "$conf" &
server=$!

# Whether the server has come so far that its volume counts.
is_settled() {
  case $(ask keeper "$POD_IP" "$REDIS_PORT" info replication) in
    *role:master*) [ "$role" = master ] ;;
    *master_link_status:up*) ask keeper "$POD_IP" "$REDIS_PORT" config set replica-priority 100 >/dev/null ;;
    *) return 1 ;;
  esac
}
(
  until is_settled; do sleep 1; done
  : >"$held"
) &

while [ -z "$leaving" ]; do
  wait "$server"
  status=$?
  [ -n "$leaving" ] || exit "$status"
done

# Every replica has what the master has, of which $replication tells.
all_in_step() {
  offset=${replication#*master_repl_offset:}
  offset=${offset%%[!0-9]*}
  rest=$replication
  while [ "${rest#*offset=}" != "$rest" ]; do
    rest=${rest#*offset=}
    [ "${rest%%,*}" = "$offset" ] || return 1
  done
}

# A master that is to end refuses writes, waits until the replicas have all that it has acknowledged, and has the
# sentinels make one of them the master: nobody waits until its silence is noticed, and nothing is lost.
hand_over() {
  tries=0 refuses=''
  while :; do
    replication=$(ask keeper "$POD_IP" "$REDIS_PORT" info replication)
    case $replication in
      *role:slave* | *role:master*connected_slaves:0*) return ;;
      *role:master*)
        if [ -n "$refuses" ]; then
          all_in_step && break
        elif ask keeper "$POD_IP" "$REDIS_PORT" config set min-replicas-to-write 1000 >/dev/null; then
          refuses=yes
          continue
        fi
        ;;
    esac
    tries=$((tries + 1))
    if [ "$tries" -gt 25 ] || ! kill -0 "$server" 2>/dev/null; then
      say "ends without handing over: a replica does not get in step, or the server does not answer"
      return
    fi
    sleep 0.2
  done
  while read -r host; do
    if ask keeper "$host" "$SENTINEL_PORT" sentinel failover "$MASTER_NAME" >/dev/null; then
      say "hands over"
      return
    fi
  done <"$CONFIG_DIR/sentinels"
  say "ends without handing over: no sentinel begins a failover"
}
# Behind that it ends at once: what it still told some replica could make that one copy everything anew.
trap '' TERM INT
hand_over
kill -TERM "$server" 2>/dev/null
wait "$server"
)sh";

constexpr char kSentinelProbeScript[] = R"sh(#!/bin/sh
# probe-sentinel.sh ready|alive
export REDIS_PORT="$SENTINEL_PORT"
# There is no sentinel yet: sentinel.sh waits, and says for what.
[ -e "$RUN_DIR/serves" ] || [ "$1" != alive ] || exit 0
exec sh "$CONFIG_DIR/probe.sh" "$1"
)sh";

constexpr char kServerProbeScript[] = R"sh(#!/bin/sh
# probe-server.sh ready|alive
. "$CONFIG_DIR/ask.sh"
if [ ! -e "$RUN_DIR/redis.conf" ]; then
  # There is no server yet: start.sh waits, and says for what.
  [ "$1" = alive ]
  exit
fi
[ "$1" = ready ] || exec sh "$CONFIG_DIR/probe.sh" alive
# A replica is ready when it is in step, so that the next one is not restarted before.
case $(ask keeper "$POD_IP" "$REDIS_PORT" info replication) in
  *role:master* | *master_link_status:up*) exit 0 ;;
esac
echo "neither a master nor in touch with one" >&2
exit 1
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
exec redis-server "$live" --sentinel
)sh";

}  // namespace

kube::Json SentinelScripts() {
  return {{"ask.sh", kSharedScript},
          {"start.sh", kStartScript},
          {"sentinel.sh", kSentinelScript},
          {"probe-server.sh", kServerProbeScript},
          {"probe-sentinel.sh", kSentinelProbeScript}};
}

}  // namespace holdfast::resources
