// What a Server does as one of several: promotion, following, synchronous commit.
#include <csignal>
#include <string>
#include <thread>

#include "fmt/format.h"
#include "tests/postgres/server.h"

namespace holdfast::postgres_servers {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kPoll{10};

// Until the statement's one value is "t".
Status Await(const Server& server, const std::string& sql, const std::string& what) {
  const Deadline deadline = Deadline::After(kPatience);
  std::string last = "no answer yet";
  while (!deadline.Expired()) {
    if (auto session = server.Connect(); !session.ok()) {
      last = session.error().message();
    } else if (const auto value = session->Value(sql); !value.ok()) {
      last = value.error().message();
    } else if (*value == "t") {
      return {};
    } else {
      last = "not so yet";
    }
    std::this_thread::sleep_for(kPoll);
  }
  return Error(ErrorCode::kDeadlineExceeded,
               fmt::format("{}: {}; its log ends: {}", what, last, Tail(server.folder() / "log")));
}

}  // namespace

Status Server::Promote() {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, Connect());
  HOLDFAST_RETURN_IF_ERROR(session.Execute("SELECT pg_promote(false)"));
  return Await(*this, "SELECT NOT pg_is_in_recovery()", "the replica is not promoted");
}

Status Server::Follow(Server& primary) {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, primary.Connect());
  HOLDFAST_RETURN_IF_ERROR(session.Execute(fmt::format(
      "SELECT pg_create_physical_replication_slot('{0}', true) WHERE NOT EXISTS (SELECT FROM pg_replication_slots "
      "WHERE slot_name = '{0}')",
      name_)));
  return SetParameter("primary_conninfo", fmt::format("host={} port={} user={} application_name={}",
                                                      primary.folder().string(), primary.port(), kSuperuser, name_));
}

Status Server::SetSynchronous(const std::vector<std::string>& names, int count) {
  const std::string value = names.empty() ? "" : fmt::format("FIRST {} ({})", count, fmt::join(names, ", "));
  HOLDFAST_RETURN_IF_ERROR(SetParameter("synchronous_standby_names", value));
  const std::size_t wanted = names.empty() ? 0 : static_cast<std::size_t>(count);
  return Await(*this,
               fmt::format("SELECT count(*) = {} FROM pg_stat_replication WHERE sync_state = 'sync' AND state = "
                           "'streaming'",
                           wanted),
               "the synchronous replicas are not there");
}

Status Server::CutReplication() {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, Connect());
  HOLDFAST_ASSIGN_OR_RETURN(const Answer senders, session.Query("SELECT pid FROM pg_stat_replication"));
  if (senders.rows.empty()) return Error(ErrorCode::kFailedPrecondition, "no replica is connected");
  for (const Row& sender : senders.rows) {
    // Anything but a number would be 0, our own process group.
    const pid_t pid = std::stoi(sender[0].value());
    if (pid <= 1 || ::kill(pid, SIGSTOP) != 0)
      return Error(ErrorCode::kInternal, "a process that sends cannot be stopped");
  }
  return {};
}

Status Server::CatchUp(const Server& primary) {
  HOLDFAST_ASSIGN_OR_RETURN(Session session, primary.Connect());
  HOLDFAST_ASSIGN_OR_RETURN(const std::string position, session.Value("SELECT pg_current_wal_lsn()"));
  return Await(*this, fmt::format("SELECT pg_last_wal_replay_lsn() >= '{}'", position),
               "the replica does not catch up");
}

}  // namespace holdfast::postgres_servers
