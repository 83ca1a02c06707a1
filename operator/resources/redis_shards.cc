// What makes the pods of a Redis backend those of a Redis Cluster: their configuration, their first process, whom they
// are kept apart from and who reaches them. The rest they have in common with a server by itself (redis.cc).
#include <fmt/format.h>

#include <string>

#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// start.sh is the first process of a pod. POSIX sh with redis-cli and coreutils; a password is never an argument of a
// program (ask.sh, redis_scripts.cc).
constexpr char kStartScript[] = R"sh(#!/bin/sh
# start.sh: starts the server of a Redis Cluster, and has a replica take its shard over before it ends.
set -u
umask 077
. "$CONFIG_DIR/ask.sh"
conf=$RUN_DIR/redis.conf
nodes=$DATA_DIR/nodes.conf
leaving=''
server=''
rm -f "$conf"
trap '[ -n "$server" ] || exit 143; leaving=yes' TERM INT

# Whose slots a server has stands in nodes.conf, what is in them in the append-only file. With the one and without the
# other it would be a master of nothing, which its replicas then copy: it joins as a new server instead, and a replica
# takes the shard over.
if [ -e "$nodes" ] && [ ! -e "$DATA_DIR/appendonlydir" ]; then
  echo "start.sh: the volume has no data but a place in the cluster, which it gives up"
  rm -f "$nodes"
fi
# Redis takes slots that it has keys of, and knows no owner of, for its own.
while [ ! -e "$nodes" ] && [ -e "$DATA_DIR/appendonlydir" ]; do
  say "waits: the volume has data and no nodes.conf, which says whose they are: put the file back, or remove \
$DATA_DIR/appendonlydir to join without data; see docs/runbooks.md"
  sleep 1
done

# has_slots: this server does, as it says itself; else whom it follows, in $follows.
has_slots() {
  ask_self cluster nodes >"$RUN_DIR/slots" || return
  while read -r _ _ flags its_master _ _ _ _ slots; do
    case $flags,$slots in
      *myself*,[0-9]*) return 0 ;;
      *myself*) follows=$its_master ;;
    esac
  done <"$RUN_DIR/slots"
  return 1
}

# finds_its_master: where this server would copy from is the one it follows.
finds_its_master() {
  at=$(ask_self info replication)
  at=${at#*master_host:}
  at=${at%%[!0-9A-Fa-f.:]*}
  [ -n "$at" ] && [ "$(ask keeper "$at" "$REDIS_PORT" cluster myid)" = "$follows" ]
}

# settle: lets this server copy, and be copied, as soon as that is right.
settle() {
  copies=''
  while kill -0 "$server" 2>/dev/null; do
    follows=''
    if has_slots; then
      ask_self config set repl-diskless-sync-delay 0 masteruser replicator >/dev/null && return
    elif [ -z "$copies" ] && [ "${#follows}" -gt 1 ] && finds_its_master; then
      ask_self config set masteruser replicator >/dev/null && copies=yes
    fi
    sleep 1
  done
}

{
  printf 'include %s\nbind %s\n' "$CONFIG_DIR/redis.conf" "$POD_IP"
  printf 'unixsocket %s\nunixsocketperm 700\n' "$RUN_DIR/redis.sock"
  printf 'cluster-announce-ip %s\ncluster-announce-hostname %s\n' "$POD_IP" "$POD_NAME.$SERVERS_DOMAIN"
  # A server knows its master by its address alone, at which another shard's may be by now: it would throw its data away
  # for those. It may not copy before it has found its master there.
  printf 'masteruser nobody\nmasterauth %s\n' "$(cat "$CREDENTIALS_DIR/replication-password")"
  # Replicas know their master by its address alone. Until this server has slots they wait, and keep what they have: one
  # that came back without its volume, at the address where it was the master, would have them copy nothing.
  printf 'repl-diskless-sync yes\nrepl-diskless-sync-delay 1000000\n'
} >"$conf.new"
mv "$conf.new" "$conf"
rm -f "$RUN_DIR/redis.sock"
redis-server "$conf" &
server=$!
settle &
sh "$CONFIG_DIR/follow.sh" replica "$server" keeper users.acl -s "$RUN_DIR/redis.sock" &
wait "$server"
status=$?
[ -n "$leaving" ] || exit "$status"

# is_replica: this server follows another by now.
is_replica() {
  case $(ask_self info replication) in
    *role:slave*) return 0 ;;
  esac
  return 1
}

# hand_over: a master with slots lets a replica of its take over, which Redis does without losing a write: it holds its
# clients until the replica has everything (CLUSTER FAILOVER).
hand_over() {
  ask_self cluster nodes >"$RUN_DIR/nodes" || return
  id='' serves=''
  while read -r node_id _ flags _ _ _ _ _ slots; do
    case $flags in
      *myself*master*) id=$node_id serves=$slots ;;
    esac
  done <"$RUN_DIR/nodes"
  [ -n "$id" ] && [ -n "$serves" ] || return
  while read -r _ address flags master _ _ _ link _; do
    [ "$master" = "$id" ] && [ "$link" = connected ] || continue
    case $flags in
      *fail*) continue ;;
    esac
    ask keeper "${address%%:*}" "$REDIS_PORT" cluster failover >/dev/null || continue
    tries=0
    # As long as Redis itself tries (CLUSTER_MF_TIMEOUT).
    while [ "$tries" -lt 25 ] && kill -0 "$server" 2>/dev/null; do
      if is_replica; then
        say "hands over"
        return
      fi
      tries=$((tries + 1))
      sleep 0.2
    done
  done <"$RUN_DIR/nodes"
  say "ends without handing over: no replica of its shard is in step, or most masters do not answer"
}
trap '' TERM INT
hand_over
kill -TERM "$server" 2>/dev/null
wait "$server"
)sh";

constexpr char kProbeScript[] = R"sh(#!/bin/sh
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
# A replica is ready when it is in step, so that the next server is not restarted before; a master, when it has slots
# and reaches most of the others.
replication=$(ask keeper "$POD_IP" "$REDIS_PORT" info replication)
case $replication in
  *role:slave*master_link_status:up*) exit 0 ;;
  *role:master*)
    case $(ask_self cluster info) in
      *cluster_state:ok*)
        ask_self cluster nodes >"$RUN_DIR/ready"
        while read -r _ _ flags _ _ _ _ _ slots; do
          case $flags,$slots in
            *myself*,[0-9]*) exit 0 ;;
          esac
        done <"$RUN_DIR/ready"
        ;;
    esac
    ;;
esac
echo "neither a master of slots that reaches the others nor in step with one" >&2
exit 1
)sh";

Json Field(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

}  // namespace

Json ShardFiles(const api::RedisBackend& redis) {
  Json files = RedisFiles(redis);
  files["ask.sh"] = SentinelScripts().at("ask.sh");
  files["start.sh"] = kStartScript;
  files["probe-server.sh"] = kProbeScript;
  files.erase(kProbeFile);
  return files;
}

std::string ShardsDomain(const api::StorageCluster& cluster, std::string_view backend) {
  return ServiceHost(PodsServiceName(cluster.name, backend), cluster.ns);
}

std::string ShardServerHost(const api::StorageCluster& cluster, std::string_view backend, std::int64_t ordinal) {
  return PodName(BackendName(cluster.name, backend), ordinal) + "." + ShardsDomain(cluster, backend);
}

void MakeShardPod(const api::StorageCluster& cluster, const api::BackendSpec& backend, Json* pod) {
  Json& container = pod->at("containers").at(0);
  for (Json each :
       {Field("POD_NAME", "metadata.name"),
        Json{{"name", "SERVERS_DOMAIN"}, {"value", ShardsDomain(cluster, backend.name)}},
        Json{{"name", "DATA_DIR"}, {"value", kRedisPath}}, Json{{"name", "RUN_DIR"}, {"value", kRedisRunPath}}}) {
    container["env"].push_back(std::move(each));
  }
  container["ports"].push_back({{"name", "bus"}, {"containerPort", kRedisBusPort}, {"protocol", "TCP"}});
  container["livenessProbe"] = RedisProbe("probe-server.sh", "alive", 10, 6);
  container["readinessProbe"] = RedisProbe("probe-server.sh", "ready", 2, 2);
  container["volumeMounts"].push_back(Mount("run", kRedisRunPath, false));
  for (Json& volume : pod->at("volumes")) {
    if (volume.at("name") != "credentials") continue;
    volume["secret"]["items"].push_back({{"key", kReplicationPassword}, {"path", kReplicationPassword}});
  }
  pod->at("volumes").push_back(MemoryVolume("run"));
  // Neighbours in the order of the pods, which begin as one shard, get to different nodes as long as there are any.
  KeepApart({{"matchLabels", BackendSelector(cluster.name, backend.name, kRedisRole)}}, {kNodeKey, kZoneKey}, pod);
}

Json ShardIngress(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const Json servers = {{"podSelector", {{"matchLabels", BackendSelector(cluster.name, backend.name, kRedisRole)}}}};
  const Json operators = {{"podSelector", {{"matchLabels", {{"app.kubernetes.io/name", kFieldManager}}}}},
                          {"namespaceSelector", Json::object()}};
  const auto at = [](Json from, int port) -> Json {
    return {{"from", Json::array({std::move(from)})}, {"ports", Json::array({{{"protocol", "TCP"}, {"port", port}}})}};
  };
  return Json::array({at(servers, kRedisBusPort), at(operators, kRedisPort)});
}

}  // namespace holdfast::resources
