// follow.sh, which runs beside every server and sentinel of a Redis backend: what the Secret says of passwords, the
// running process does, without a restart and without a client that is cut off. Redis would read the file of users
// again itself (ACL LOAD), but 7.0 then ends every connection.
//
// The file of users is told line by line, each user in one step (ACL SETUSER), the passwords that the process itself
// logs in with after them, and at the end a user that nobody can be: its name, a hash of the file, says what has been
// followed (FollowedMark). The kubelet brings the files of a Secret at once, so whoever shows a mark has all that the
// Secret held with it; and a process that starts reads the same file, mark and all, whose last change may not have come
// yet: then it follows like any other.
#include <fmt/format.h>

#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

using kube::Json;

constexpr std::size_t kMarkLength = 16;  // hexadecimal digits: 64 bits
constexpr char kMarkPrefix[] = "followed-";

constexpr char kScript[] = R"sh(#!/bin/sh
# follow.sh WHAT PROCESS USER FILE WHERE...: beside a server (replica: one with a master, server: one without) or a
# sentinel, as long as that process runs. WHERE is how redis-cli reaches it. Passwords go into redis-cli's environment
# or its input, never into its arguments; of those of users the file has hashes.
set -uf
umask 077
what=$1 process=$2 user=$3 file=$CREDENTIALS_DIR/$4
shift 4
former=$(cat "$CREDENTIALS_DIR/$user-password")
followed=''

# tell COMMAND...: with the password in use, or that of before, in $said.
tell() {
  for word in "$password" "$former"; do
    said=$(REDISCLI_AUTH=$word timeout 5 redis-cli -e $where --user "$user" "$@" 2>/dev/null </dev/null) && return
  done
  return 1
}

# tell_secret FILE COMMAND...: the same, with what is in the file behind it.
tell_secret() {
  secret=$1
  shift
  for word in "$password" "$former"; do
    printf %s "$(cat "$CREDENTIALS_DIR/$secret")" |
      REDISCLI_AUTH=$word timeout 5 redis-cli -e -x $where --user "$user" "$@" >/dev/null 2>&1 && return
  done
  return 1
}

# follow: the file, line by line. The last line is the mark.
follow() {
  mark=''
  while read -r _ name rules; do
    [ -z "$mark" ] || tell_user "$mark" || return
    mark="$name $rules"
  done <"$file"
  [ "$users" = "$(cat "$file")" ] || return
  case $what in
    replica) tell_secret replication-password config set masterauth || return ;;
    sentinel)
      tell_secret sentinel-password sentinel set "$MASTER_NAME" auth-pass || return
      tell_secret sentinel-password sentinel config set sentinel-pass || return
      ;;
  esac
  tell_user "$mark" && tell acl users || return
  for name in $said; do
    case $name in
      "${mark%% *}") ;;
      followed-*) tell acl deluser "$name" || return ;;
    esac
  done
}

# tell_user "NAME RULES": exactly these.
tell_user() {
  tell acl setuser "${1%% *}" reset ${1#* }
}

where=$*
while kill -0 "$process" 2>/dev/null; do
  users=$(cat "$file")
  if [ "$users" != "$followed" ]; then
    password=$(cat "$CREDENTIALS_DIR/$user-password")
    if follow; then
      followed=$users former=$password
      echo "follow.sh: goes by the users and passwords of ${mark%% *}"
    fi
  fi
  sleep 1
done
)sh";

// The Job of a rotation: ends when each of those that are named shows its mark.
constexpr char kFollowedScript[] = R"sh(#!/bin/sh
# followed.sh HOST:PORT=MARK...
set -uf
tries=150
shows() {
  at=${1%%=*}
  REDISCLI_AUTH=$(cat "$CREDENTIALS_DIR/keeper-password") timeout 5 redis-cli -h "${at%:*}" -p "${at##*:}" \
    --tls --cacert "$TLS_DIR/ca.crt" --user keeper acl users 2>/dev/null </dev/null | grep -qx "${1#*=}"
}
for place in "$@"; do
  until shows "$place"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      echo "followed.sh: ${place%%=*} does not go by the newest passwords: see the log of its pod" >&2
      exit 1
    fi
    sleep 2
  done
done
)sh";

}  // namespace

Json FollowScripts() {
  return {{"follow.sh", kScript}, {"followed.sh", kFollowedScript}};
}

std::string WithFollowedMark(const std::string& users) {
  return users + fmt::format("user {}{} off -@all\n", kMarkPrefix, Sha256Of(users).substr(0, kMarkLength));
}

std::string FollowedMark(const std::string& users) {
  const std::size_t at = users.rfind(kMarkPrefix);
  if (at == std::string::npos) return {};
  return users.substr(at, sizeof kMarkPrefix - 1 + kMarkLength);
}

}  // namespace holdfast::resources
