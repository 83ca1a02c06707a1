// The scripts in the pods of the servers of a Redis backend with sentinels: start.sh, its first process; keep.sh beside
// the server; the probe. What they share and how they treat passwords is in redis_scripts.cc; who may be the master and
// why, in redis.h.
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

constexpr char kStartScript[] = R"sh(#!/bin/sh
# start.sh: decides whether the server starts as the master or as a replica, and stays beside it. Redis alone would
# start as what its volume says, and with an empty one as a master without data, which its replicas then copy.
set -u
umask 077
. "$CONFIG_DIR/ask.sh"
self=$POD_NAME.$POD_NAMESPACE.svc
conf=$RUN_DIR/redis.conf
# There as soon as the volume holds what was a master's, or was in step with one; as old as that is (keep.sh).
held=$DATA_DIR/holds-data
rm -f "$conf"
leaving=''
server=''
trap '[ -n "$server" ] || exit 143; leaving=yes' TERM INT

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

decide() {
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
}

configure() {
  {
    # tls-port: keep.sh lets it listen.
    printf 'include %s\nbind %s\ntls-port 0\n' "$CONFIG_DIR/redis.conf" "$POD_IP"
    printf 'unixsocket %s\nunixsocketperm 700\n' "$RUN_DIR/redis.sock"
    printf 'replica-announce-ip %s\nreplica-announce-port %s\n' "$self" "$REDIS_PORT"
    printf 'masteruser replicator\nmasterauth %s\n' "$(cat "$CREDENTIALS_DIR/replication-password")"
    [ "$role" = master ] || printf 'replicaof %s %s\n' "$master" "$REDIS_PORT"
  } >"$conf.new"
  mv "$conf.new" "$conf"
}

while :; do
  decide
  rm -f "$RUN_DIR/again" "$RUN_DIR/elect" "$RUN_DIR/redis.sock"
  has_data || rm -f "$held"
  configure
  redis-server "$conf" &
  server=$!
  sh "$CONFIG_DIR/keep.sh" "$role" "$server" &
  sh "$CONFIG_DIR/follow.sh" replica "$server" keeper users.acl -s "$RUN_DIR/redis.sock" &
  wait "$server"
  status=$?
  [ -z "$leaving" ] || break
  # The sentinels have named another while this server was reading its data.
  [ -e "$RUN_DIR/again" ] || exit "$status"
  server=''
  rm -f "$conf"
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

# Some sentinel begins a failover: not, as long as it finds no replica good.
failover() {
  while read -r host; do
    ask keeper "$host" "$SENTINEL_PORT" sentinel failover "$MASTER_NAME" >/dev/null && return 0
  done <"$CONFIG_DIR/sentinels"
  return 1
}

# A master that is to end refuses writes, waits until the replicas have all that it has acknowledged, and has the
# sentinels make one of them the master: nobody waits until its silence is noticed, and nothing is lost.
hand_over() {
  tries=0 refuses=''
  while :; do
    replication=$(ask_self info replication)
    case $replication in
      *role:slave* | *role:master*connected_slaves:0*) return ;;
      *role:master*)
        if [ -n "$refuses" ]; then
          if all_in_step && failover; then
            say "hands over"
            return
          fi
        elif ask_self config set min-replicas-to-write 1000 >/dev/null; then
          refuses=yes
          continue
        fi
        ;;
    esac
    tries=$((tries + 1))
    if [ "$tries" -gt 25 ] || ! kill -0 "$server" 2>/dev/null; then
      say "ends without handing over: a replica does not get in step, no sentinel begins a failover, or the server does \
not answer"
      return
    fi
    sleep 0.2
  done
}
# Behind that it ends at once: what it still told some replica could make that one copy everything anew.
trap '' TERM INT
hand_over
kill -TERM "$server" 2>/dev/null
wait "$server"
)sh";

constexpr char kKeepScript[] = R"sh(#!/bin/sh
# keep.sh ROLE SERVER: beside the server that start.sh has started, as long as it runs. Lets it listen as soon as it
# may be the master, has a replica follow the master that the sentinels name, and notes on the volume until when what
# stands there was what a master had.
set -u
umask 077
. "$CONFIG_DIR/ask.sh"
self=$POD_NAME.$POD_NAMESPACE.svc
held=$DATA_DIR/holds-data
role=$1
server=$2
# kept: the server would read back what it has.
listens='' linked='' in_step='' kept=yes strays='' looks=0

# How many replicas a master needs to take writes.
needed=0
while read -r name value; do
  [ "$name" != min-replicas-to-write ] || needed=$value
done <"$CONFIG_DIR/redis.conf"

# A master that no longer has its replicas may have been replaced.
has_replicas() {
  good=${replication#*min_slaves_good_slaves:}
  [ "$good" != "$replication" ] || return 0
  [ "${good%%[!0-9]*}" -ge "$needed" ]
}

# What the server says of itself, in $state (master, or replica), $linked and $in_step; an error while it reads its data.
look() {
  replication=$(ask_self info replication) || return 1
  persistence=$(ask_self info persistence) || return 1
  case $persistence in
    *loading:0*) ;;
    *) return 1 ;;
  esac
  state=replica was_linked=$linked linked='' in_step=''
  case $replication in
    *role:master*)
      state=master
      if has_replicas; then in_step=yes; fi
      ;;
    *master_link_status:up*) linked=yes in_step=yes ;;
  esac
  # There may have been a full copy: until the append-only file was written anew it is that of before.
  [ -z "$linked" ] || [ -n "$was_linked" ] || kept=''
  case $persistence in
    *aof_rewrite_in_progress:1* | *aof_rewrite_scheduled:1* | *aof_last_bgrewrite_status:err*) ;;
    *) kept=yes ;;
  esac
}

note() {
  if [ -n "$kept" ]; then
    if [ -n "$in_step" ] || [ ! -e "$held" ]; then touch "$held"; fi
  elif [ "$state" = master ]; then
    # After a restart it would be a master with old data, or none.
    rm -f "$held"
  fi
}

# Of a replica that has started and is not in step: what it has is as new as a sentinel asks of one that ran meanwhile.
is_recent() {
  [ -e "$held" ] && find_master keeper || return 1
  newest=$(date -r "$held" +%s)
  age=$(($(date +%s) - newest))
  [ $((age * 1000)) -le $((down + 10 * down_after)) ]
}

may_listen() {
  if [ -e "$RUN_DIR/elect" ]; then
    say "listens because $RUN_DIR/elect says so"
  elif [ "$role" = master ]; then
    find_master keeper || return 1
    if [ "$master" != "$self" ]; then
      say "does not listen: the sentinels name $master by now"
      : >"$RUN_DIR/again"
      kill -TERM "$server"
      exit
    fi
    case $flags in
      *failover_in_progress*) return 1 ;;
    esac
    say "listens as the master"
  elif [ "$state" = replica ] && [ -n "$in_step" ]; then
    [ -n "$kept" ] || return 1
    say "listens: it is in step"
  elif is_recent; then
    # Behind all that are in step, which have 100; of the others the newest comes first. Positive until 2080.
    ask_self config set replica-priority $((3500000000 - newest)) >/dev/null || return 1
    say "listens: it was in step $age s ago"
  else
    say "does not listen before it is in step: what it has is old, or nothing"
    return 1
  fi
  ask_self config set tls-port "$REDIS_PORT" >/dev/null
}

# The sentinels found nobody good when the master went down, and try again only after twice their failover-timeout. All
# replicas ask the same sentinel first, which begins one failover and not two.
hasten() {
  [ -n "$listens" ] && [ "$down" -ge 5000 ] || return
  case $flags in
    *o_down*) ;;
    *) return ;;
  esac
  while read -r host; do
    if ask keeper "$host" "$SENTINEL_PORT" sentinel failover "$MASTER_NAME" >/dev/null; then
      say "had the sentinels begin another failover: $master has been down for $((down / 1000)) s"
      return
    fi
  done <"$CONFIG_DIR/sentinels"
}

# Sentinels tell a replica of another master only if they know it and it listens. One that follows somebody who is a
# replica himself is in step, and nobody sees it.
follow() {
  looks=$(((looks + 1) % 5))
  [ "$state" = replica ] || return
  # One that is in step only now and then.
  [ "$looks" = 0 ] || [ -n "$strays" ] || [ -z "$linked" ] || return
  find_master keeper || return
  case $flags in
    *failover_in_progress*) return ;;
  esac
  leader=${replication#*master_host:}
  leader=${leader%%[!A-Za-z0-9.-]*}
  if [ "$leader" = "$master" ] || [ "$master" = "$self" ]; then
    strays=''
    hasten
  elif [ -z "$strays" ]; then
    strays=yes
  else
    say "follows $master, whom the sentinels name, and no longer $leader"
    ask_self replicaof "$master" "$REDIS_PORT" >/dev/null
  fi
}

while kill -0 "$server" 2>/dev/null; do
  if look; then
    follow
    if [ -z "$listens" ] && may_listen; then listens=yes; fi
    if [ -n "$listens" ]; then
      note
      case $in_step,$replication in
        # 0: the operator's mark of a server that is to go, or was.
        yes,*role:slave*slave_priority:100[!0-9]* | yes,*role:slave*slave_priority:0[!0-9]*) ;;
        yes,*role:slave*) ask_self config set replica-priority 100 >/dev/null ;;
      esac
    fi
  fi
  sleep 1
done
)sh";

constexpr char kServerProbeScript[] = R"sh(#!/bin/sh
# probe-server.sh ready|alive
. "$CONFIG_DIR/ask.sh"
if [ ! -e "$RUN_DIR/redis.conf" ]; then
  # There is no server yet: start.sh waits, and says for what.
  [ "$1" = alive ]
  exit
fi
if [ "$1" = alive ]; then
  # A server that reads its data answers, but not with PONG; so do one that runs a long script and one without a master.
  said=$(REDISCLI_AUTH=any redis-cli -s "$RUN_DIR/redis.sock" --user probe ping 2>&1)
  case $said in
    PONG | LOADING* | BUSY* | MASTERDOWN*) exit 0 ;;
  esac
  echo "$said" >&2
  exit 1
fi
# A replica is ready when it is in step and listens, so that the next one is not restarted before.
case $(ask keeper "$POD_IP" "$REDIS_PORT" info replication) in
  *role:master* | *master_link_status:up*) exit 0 ;;
esac
echo "neither a master nor in touch with one" >&2
exit 1
)sh";

}  // namespace

kube::Json SentinelServerScripts() {
  return {{"start.sh", kStartScript}, {"keep.sh", kKeepScript}, {"probe-server.sh", kServerProbeScript}};
}

}  // namespace holdfast::resources
