#include "tests/patroni/patroni_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/time/clock.h"
#include "base/time/duration.h"
#include "tests/waiting/eventually.h"

namespace holdfast::patroni_cluster {
namespace {

using Json = nlohmann::json;

constexpr char kRevisionLabel[] = "controller-revision-hash";
constexpr char kKubelet[] = "kubelet";
constexpr char kMergePatch[] = "application/merge-patch+json";

// As Kubernetes writes times: whole seconds.
std::string Now() {
  return FormatTimestamp(std::chrono::floor<std::chrono::seconds>(SystemClock().Now()));
}

// "" when there is no answer.
std::string Ask(postgres_servers::Session& session, const std::string& sql) {
  auto answer = session.Value(sql);
  return answer.ok() ? std::move(answer).value() : std::string();
}

}  // namespace

Result<std::unique_ptr<PatroniCluster>> PatroniCluster::Start(local::ApiServer& api, const Settings& settings,
                                                              const KubeletSettings& kubelet) {
  std::unique_ptr<PatroniCluster> cluster(new PatroniCluster(api, settings, kubelet));
  HOLDFAST_ASSIGN_OR_RETURN(const std::string first, cluster->AwaitPrimary());
  static_cast<void>(first);
  {
    const std::lock_guard lock(cluster->mutex_);
    cluster->wanted_ = settings.members;
  }
  cluster->wake_.notify_all();
  HOLDFAST_RETURN_IF_ERROR(cluster->AwaitSettled());
  return cluster;
}

PatroniCluster::PatroniCluster(local::ApiServer& api, const Settings& settings, const KubeletSettings& kubelet)
    : api_(api), settings_(settings), kubelet_(kubelet) {
  for (int ordinal = 0; ordinal < settings_.members; ++ordinal) {
    auto member = std::make_unique<Member>(settings_, ordinal, api_.port());
    const std::string name = member->name();
    seats_[name].member = std::move(member);
  }
  keeper_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

PatroniCluster::~PatroniCluster() {
  keeper_.request_stop();
  keeper_.join();
}

const Member& PatroniCluster::Of(const std::string& member) const {
  return *seats_.at(member).member;
}

std::vector<std::string> PatroniCluster::names() const {
  std::vector<std::string> names;
  for (const auto& [name, seat] : seats_) names.push_back(name);
  return names;
}

Json PatroniCluster::Annotations(const std::string& key) const {
  const auto reply =
      api_.Call("GET", fmt::format("/api/v1/namespaces/{}/configmaps/{}-{}", settings_.ns, settings_.scope(), key));
  static const Json::json_pointer pointer("/metadata/annotations");
  return reply.ok() && reply.body.contains(pointer) ? reply.body.at(pointer) : Json::object();
}

std::string PatroniCluster::Leader() const {
  return Annotations("leader").value("leader", "");
}

std::vector<std::string> PatroniCluster::SynchronousStandbys() const {
  std::vector<std::string> names;
  std::istringstream list(Annotations("sync").value("sync_standby", ""));
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

std::vector<std::string> PatroniCluster::Standbys() const {
  std::vector<std::string> others = names();
  std::erase(others, Leader());
  return others;
}

Result<std::string> PatroniCluster::AwaitPrimary(const std::string& former) {
  std::string leader;
  const bool found = Eventually([&] {
    leader = Leader();
    if (leader.empty() || leader == former) return false;
    auto session = Of(leader).Connect();
    return session.ok() && Ask(*session, "SELECT pg_is_in_recovery()") == "f";
  });
  if (found) return leader;
  return Error(ErrorCode::kDeadlineExceeded, "no primary in time\n" + Logs());
}

Status PatroniCluster::AwaitSettled() {
  std::string missing = "nobody leads";
  const bool settled = Eventually([&] {
    const std::string leader = Leader();
    if (leader.empty()) return false;
    auto session = Of(leader).Connect();
    if (!session.ok()) return false;
    const auto standbys = static_cast<std::size_t>(settings_.members - 1);
    // By name: a pg_basebackup in progress streams, too, and its member cannot be elected yet.
    const std::string streaming =
        Ask(*session, fmt::format("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND "
                                  "application_name LIKE '{}-%'",
                                  settings_.scope()));
    const auto wanted = std::min(static_cast<std::size_t>(settings_.synchronous_standbys),
                                 static_cast<std::size_t>(settings_.members - 1));
    const std::string synchronous =
        Ask(*session, "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')");
    missing =
        fmt::format("{} streaming, {} synchronous, {} published", streaming, synchronous, SynchronousStandbys().size());
    return streaming == std::to_string(standbys) && synchronous == std::to_string(wanted) &&
           SynchronousStandbys().size() == wanted && Annotations("sync").value("leader", leader) == leader;
  });
  if (settled) return {};
  return Error(ErrorCode::kDeadlineExceeded, fmt::format("the cluster does not settle: {}\n{}", missing, Logs()));
}

void PatroniCluster::Kill(const std::string& member) {
  const std::lock_guard lock(mutex_);
  if (Seat& seat = seats_.at(member); seat.member->HasContainer()) seat.member->container().Kill();
}

void PatroniCluster::Freeze(const std::string& member) {
  const std::lock_guard lock(mutex_);
  if (Seat& seat = seats_.at(member); seat.member->HasContainer()) seat.member->container().Freeze();
}

void PatroniCluster::Thaw(const std::string& member) {
  const std::lock_guard lock(mutex_);
  if (Seat& seat = seats_.at(member); seat.member->HasContainer()) seat.member->container().Thaw();
}

void PatroniCluster::Cut(const std::string& member) {
  const std::lock_guard lock(mutex_);
  seats_.at(member).member->Cut();
}

void PatroniCluster::Heal(const std::string& member) {
  const std::lock_guard lock(mutex_);
  seats_.at(member).member->Heal();
}

void PatroniCluster::SetKubeletReachable(const std::string& member, bool reachable) {
  const std::lock_guard lock(mutex_);
  seats_.at(member).kubelet_reachable = reachable;
}

void PatroniCluster::SetRestarts(const std::string& member, bool restarts) {
  const std::lock_guard lock(mutex_);
  seats_.at(member).restarts_allowed = restarts;
}

Json PatroniCluster::Labels() const {
  return {{"app.kubernetes.io/managed-by", "holdfast-operator"},
          {"storage.holdfast.dev/cluster", settings_.cluster},
          {"storage.holdfast.dev/backend", settings_.backend},
          {"storage.holdfast.dev/role", "postgres"}};
}

void PatroniCluster::ChangeTemplate(const std::string& revision) {
  {
    const std::lock_guard lock(mutex_);
    revision_ = revision;
  }
  const std::string sets = fmt::format("/apis/apps/v1/namespaces/{}/statefulsets", settings_.ns);
  const std::string path = sets + "/" + settings_.scope();
  if (!api_.Call("GET", path).ok()) {
    const Json container = {{"name", "postgres"}, {"image", "postgres"}};
    api_.Call("POST", sets,
              {{"metadata", {{"name", settings_.scope()}, {"labels", Labels()}}},
               {"spec",
                {{"replicas", settings_.members},
                 {"serviceName", settings_.scope()},
                 {"selector", {{"matchLabels", Labels()}}},
                 {"template",
                  {{"metadata", {{"labels", Labels()}}}, {"spec", {{"containers", Json::array({container})}}}}}}}});
  }
  const Json set = api_.Call("GET", path).body;
  api_.Call("PATCH", path + "/status",
            {{"status", {{"observedGeneration", set.at("metadata").at("generation")}, {"updateRevision", revision}}}},
            kMergePatch);
}

std::string PatroniCluster::RevisionOf(const std::string& member) const {
  const Json pod = ReadPod(member);
  static const Json::json_pointer labels("/metadata/labels");
  return pod.contains(labels) ? pod.at(labels).value(kRevisionLabel, "") : "";
}

std::string PatroniCluster::Url() const {
  std::string hosts;
  for (const auto& [name, seat] : seats_) {
    hosts += fmt::format("{}{}:{}", hosts.empty() ? "" : ",", seat.member->address(), seat.member->client_port());
  }
  return fmt::format("postgresql://{}:{}@{}/postgres?sslmode=disable", kSuperuser, kPassword, hosts);
}

std::string PatroniCluster::Logs() const {
  std::string text;
  for (const auto& [name, seat] : seats_) text += fmt::format("==== {} ====\n{}", name, seat.member->Log());
  return text;
}

void PatroniCluster::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    int ordinal = 0;
    for (auto& [name, seat] : seats_) {
      if (ordinal++ < wanted_ && seat.kubelet_reachable) Keep(&seat);
    }
    wake_.wait_for(lock, stop, kubelet_.period, [] { return false; });
  }
}

Json PatroniCluster::ReadPod(const std::string& name) const {
  const auto reply = api_.Call("GET", fmt::format("/api/v1/namespaces/{}/pods/{}", settings_.ns, name));
  return reply.ok() ? reply.body : Json();
}

// One look at one pod and its container.
void PatroniCluster::Keep(Seat* seat) {
  const std::string& name = seat->member->name();
  const Json pod = ReadPod(name);
  const std::string uid = pod.is_null() ? "" : pod.at("/metadata/uid"_json_pointer).get<std::string>();
  // The pod of this container was taken away without asking, or there is none yet.
  if (uid != seat->pod_uid) {
    seat->member->ForgetContainer();
    seat->pod_uid.clear();
  }
  if (uid.empty()) return MakePod(*seat);
  if (seat->pod_uid.empty()) {
    seat->restarts = 0;
    seat->last_end = nullptr;
    seat->terminating = false;
    return Launch(seat, uid);
  }

  const bool leaving = pod.contains("/metadata/deletionTimestamp"_json_pointer);
  if (leaving) {
    const auto grace =
        std::chrono::seconds(pod.value("/metadata/deletionGracePeriodSeconds"_json_pointer, std::int64_t{30}));
    const auto kill_at = std::chrono::steady_clock::now() + grace;
    if (!seat->terminating && seat->member->HasContainer()) seat->member->container().Terminate();
    // A later delete may shorten the wait.
    if (!seat->terminating || kill_at < seat->kill_at) seat->kill_at = kill_at;
    seat->terminating = true;
  }
  if (seat->member->HasContainer()) {
    if (leaving && std::chrono::steady_clock::now() >= seat->kill_at) seat->member->container().Kill();
    if (const auto code = seat->member->container().ExitCode()) ReportEnded(seat, *code);
    return;
  }
  if (leaving) {
    api_.Call(
        "DELETE", fmt::format("/api/v1/namespaces/{}/pods/{}", settings_.ns, name),
        {{"kind", "DeleteOptions"}, {"apiVersion", "v1"}, {"gracePeriodSeconds", 0}, {"preconditions", {{"uid", uid}}}},
        "", kKubelet);
    return;
  }
  if (seat->restarts_allowed) {
    ++seat->restarts;
    Launch(seat, uid);
  }
}

void PatroniCluster::MakePod(const Seat& seat) {
  Json labels = Labels();
  labels["cluster-name"] = settings_.scope();
  labels[kRevisionLabel] = revision_;
  const Json container = {{"name", "postgres"}, {"image", "postgres"}};
  api_.Call("POST", fmt::format("/api/v1/namespaces/{}/pods", settings_.ns),
            {{"apiVersion", "v1"},
             {"kind", "Pod"},
             {"metadata", {{"name", seat.member->name()}, {"labels", labels}}},
             {"spec", {{"nodeName", "node-" + seat.member->name()}, {"containers", Json::array({container})}}}},
            "", "statefulset-controller");
}

void PatroniCluster::Launch(Seat* seat, const std::string& uid) {
  if (!seat->member->StartContainer().ok()) return;
  seat->pod_uid = uid;
  seat->container_id = fmt::format("test://{}", ++containers_);
  seat->started_at = Now();
  seat->ended = false;
  ReportRunning(*seat);
}

void PatroniCluster::ReportRunning(const Seat& seat) {
  Json status = {{"name", "postgres"},
                 {"ready", true},
                 {"started", true},
                 {"restartCount", seat.restarts},
                 {"containerID", seat.container_id},
                 {"state", {{"running", {{"startedAt", seat.started_at}}}}},
                 {"lastState", Json::object()}};
  if (!seat.last_end.is_null()) status["lastState"]["terminated"] = seat.last_end;
  PatchStatus(seat,
              {{"phase", "Running"}, {"podIP", seat.member->address()}, {"containerStatuses", Json::array({status})}});
}

void PatroniCluster::ReportEnded(Seat* seat, int code) {
  seat->member->ForgetContainer();
  seat->ended = true;
  seat->last_end = {{"containerID", seat->container_id},
                    {"exitCode", code},
                    {"reason", code == 0 ? "Completed" : "Error"},
                    {"startedAt", seat->started_at},
                    {"finishedAt", Now()}};
  const Json status = {{"name", "postgres"},
                       {"ready", false},
                       {"started", false},
                       {"restartCount", seat->restarts},
                       {"containerID", seat->container_id},
                       {"state", {{"terminated", seat->last_end}}},
                       {"lastState", Json::object()}};
  PatchStatus(*seat, {{"phase", "Running"}, {"containerStatuses", Json::array({status})}});
}

void PatroniCluster::PatchStatus(const Seat& seat, Json status) {
  api_.Call("PATCH", fmt::format("/api/v1/namespaces/{}/pods/{}/status", settings_.ns, seat.member->name()),
            {{"metadata", {{"uid", seat.pod_uid}}}, {"status", std::move(status)}}, kMergePatch, kKubelet);
}

}  // namespace holdfast::patroni_cluster
