// The watches misbehave while a cluster is changed: the operator as it runs, over HTTP, with real informers, must come
// to what the run without faults comes to. The bounds on how long a dead stream goes unnoticed are the client's
// (tests/unit/operator/kube/watch_test.cc); here a stream that was found dead is what the informer is told.
#include <atomic>
#include <mutex>
#include <ostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/forwarding_client.h"
#include "tests/unit/operator/controllers/managed_operator.h"
#include "tests/waiting/eventually.h"

namespace holdfast::faults {
namespace {

using storagecluster::ClusterBench;
using storagecluster::ManagedOperator;
namespace kinds = kube::kinds;

enum class StreamFault {
  kNone,
  kGoneAtStart,   // 410 on the request, until a list has been asked for
  kGoneInStream,  // 410 as an event, after which nothing more comes, until a list has been asked for
  kHalfOpen,      // no byte, until the client takes it for dead
  kBroken,        // the connection breaks at each event, which is lost
  kSenseless,     // a line that is no event
  kDoubled,       // each event twice, and its predecessor once more
  kOutage,        // no request is answered for a while
};
// What an operator does wrong about it: the controls.
enum class Bug { kNone, kNeverLists, kNeverFindsItDead };

class StreamFaults : public ForwardingClient {
 public:
  StreamFaults(std::shared_ptr<kube::Client> next, Bug bug) : ForwardingClient(std::move(next)), bug_(bug) {}

  // From now on: every stream that is open, and those that follow.
  void Begin(StreamFault fault) {
    const std::lock_guard lock(mutex_);
    listed_.clear();
    fault_ = fault;
  }
  void End() { fault_ = StreamFault::kNone; }

  Result<kube::ObjectList> List(const kube::ResourceKind& kind, const std::string& ns, const kube::ListOptions& options,
                                Deadline deadline) override {
    if (fault_ == StreamFault::kOutage) return Out();
    auto list = ForwardingClient::List(kind, ns, options, deadline);
    const std::lock_guard lock(mutex_);
    listed_.insert(kind);
    return list;
  }
  Result<Json> Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) override {
    if (fault_ == StreamFault::kOutage) return Out();
    return ForwardingClient::Get(kind, key, deadline);
  }
  Result<Json> Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                     Deadline deadline) override {
    if (fault_ == StreamFault::kOutage) return Out();
    return ForwardingClient::Apply(kind, object, options, deadline);
  }
  Result<Json> UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override {
    if (fault_ == StreamFault::kOutage) return Out();
    return ForwardingClient::UpdateStatus(kind, object, deadline);
  }

  Status Watch(const kube::ResourceKind& kind, const std::string& ns, const kube::WatchOptions& options,
               std::stop_token stop, const std::function<bool(kube::WatchEvent)>& on_event) override {
    if (fault_ == StreamFault::kGoneAtStart && !Listed(kind)) return Spoil(Gone(), stop);
    if (fault_ == StreamFault::kOutage) return Out();
    Json last;
    Status said;
    const Status ended = ForwardingClient::Watch(kind, ns, options, stop, [&](const kube::WatchEvent& event) {
      said = Meet(kind, event, &last, on_event);
      return said.ok();
    });
    return said.ok() ? ended : Spoil(said.error(), stop);
  }

 private:
  static Error Gone() { return {ErrorCode::kFailedPrecondition, "too old resource version (injected)"}; }
  static Error Out() { return {ErrorCode::kUnavailable, "connection refused (injected)"}; }

  bool Listed(const kube::ResourceKind& kind) const {
    const std::lock_guard lock(mutex_);
    return listed_.contains(kind);
  }

  // Not ok = how the stream ends; the event is lost then.
  Status Meet(const kube::ResourceKind& kind, const kube::WatchEvent& event, Json* last,
              const std::function<bool(kube::WatchEvent)>& on_event) const {
    const auto pass = [&](kube::WatchEvent one) {
      return on_event(std::move(one)) ? Status::Ok() : Status(Error(ErrorCode::kCancelled, "stopped"));
    };
    const bool once = !Listed(kind);
    switch (fault_.load()) {
      case StreamFault::kNone:
        break;
      case StreamFault::kGoneAtStart:
      case StreamFault::kGoneInStream:
        if (once) return Gone();
        break;
      case StreamFault::kHalfOpen:
        if (once) return Error(ErrorCode::kDeadlineExceeded, "no byte for too long (injected)");
        break;
      case StreamFault::kSenseless:
        if (once) return Error(ErrorCode::kCorruption, "no JSON (injected)");
        break;
      case StreamFault::kBroken:
      case StreamFault::kOutage:
        return Out();
      case StreamFault::kDoubled: {
        if (event.type == kube::WatchEventType::kBookmark) break;
        Status status = pass(event);
        if (status.ok()) status = pass(event);
        if (status.ok() && !last->is_null()) status = pass({kube::WatchEventType::kModified, *last});
        *last = event.object;
        return status;
      }
    }
    return pass(event);
  }

  // As the operator with the bug takes it.
  Status Spoil(Error error, const std::stop_token& stop) const {
    const bool dead = error.code() == ErrorCode::kDeadlineExceeded && bug_ == Bug::kNeverFindsItDead;
    const bool gone = error.code() == ErrorCode::kFailedPrecondition && bug_ == Bug::kNeverLists;
    if (!dead && !gone) return error;
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds{5});
    return Error(ErrorCode::kCancelled, "stopped");
  }

  const Bug bug_;
  std::atomic<StreamFault> fault_ = StreamFault::kNone;
  mutable std::mutex mutex_;
  std::set<kube::ResourceKind> listed_;  // guarded by mutex_; since Begin
};

struct Ending {
  bool converged = false;
  std::map<std::string, Json> objects;
  std::string pod;
  int writes = 0;
};

// Longer than any write takes to follow another.
constexpr std::chrono::milliseconds kSettled{300};

// Up; then, with the fault, scaled to 0, a Service deleted, scaled to 1; the fault ends, if it does not end by itself.
Ending LiveThrough(StreamFault fault, Bug bug, std::chrono::milliseconds patience) {
  std::shared_ptr<StreamFaults> streams;
  ClusterBench bench(ClusterBench::Transport::kHttp, [&](std::shared_ptr<kube::Client> next) {
    return streams = std::make_shared<StreamFaults>(std::move(next), bug);
  });
  const ManagedOperator running(bench);
  const auto comes_to = [&](const std::string& ready, std::chrono::milliseconds limit) {
    return Eventually(
        [&] {
          bench.PlayStatefulSets();
          const Json cluster = bench.Cluster("demo");
          static const Json::json_pointer observed("/status/observedGeneration");
          return bench.ConditionOf("demo", "Ready") == ready && cluster.contains(observed) &&
                 cluster.at(observed) == kube::GenerationOf(cluster) && !bench.Get(kinds::kService, "demo").is_null();
        },
        limit);
  };
  // The last events are on their way: as soon as nothing has followed for a while, this is the end.
  const auto comes_to_rest = [&] {
    int writes = -1;
    auto since = std::chrono::steady_clock::now();
    return Eventually([&] {
      if (const int now = bench.client().writes(); now != writes) {
        writes = now;
        since = std::chrono::steady_clock::now();
      }
      return std::chrono::steady_clock::now() - since >= kSettled;
    });
  };
  Ending ending;
  bench.CreateCluster("demo", storagecluster::EmbeddedSpec());
  // At rest: a call under way would see what is done below without being told.
  if (!comes_to("True Available", std::chrono::seconds{60}) || !comes_to_rest()) return ending;
  ending.pod = kube::UidOf(bench.Get(kinds::kPod, "demo-0"));

  streams->Begin(fault);
  bench.PatchSpec("demo", {{"defaultStore", "main"}});
  const Json service = bench.Get(kinds::kService, "demo");
  static_cast<void>(bench.user().Delete(kinds::kService, {"prod", "demo"},
                                        {kube::UidOf(service), kube::ResourceVersionOf(service)},
                                        Deadline::After(std::chrono::seconds{10})));
  if (fault == StreamFault::kOutage || fault == StreamFault::kBroken) {
    std::this_thread::sleep_for(std::chrono::milliseconds{300});  // the outage itself
    streams->End();
  }
  ending.converged = comes_to("True Available", patience);
  if (!ending.converged) return ending;
  ending.converged = comes_to_rest();
  ending.writes = bench.client().writes();
  ending.objects = bench.Objects();
  if (kube::UidOf(bench.Get(kinds::kPod, "demo-0")) != ending.pod) ending.pod = "another";
  return ending;
}

constexpr std::chrono::seconds kConverge{60};  // I1

struct Case {
  const char* name;
  StreamFault fault;
};
void PrintTo(const Case& test, std::ostream* out) {
  *out << test.name;
}

class WatchFault : public ::testing::TestWithParam<Case> {};

TEST_P(WatchFault, EndsAsTheReference) {
  static const Ending reference = LiveThrough(StreamFault::kNone, Bug::kNone, kConverge);
  ASSERT_TRUE(reference.converged);
  const Ending ending = LiveThrough(GetParam().fault, Bug::kNone, kConverge);
  ASSERT_TRUE(ending.converged);
  EXPECT_NE(ending.pod, "another") << "what runs was touched";
  EXPECT_LE(ending.writes, 3 * reference.writes);
  ASSERT_EQ(ending.objects.size(), reference.objects.size());
  for (const auto& [name, object] : reference.objects) {
    ASSERT_TRUE(ending.objects.contains(name)) << name;
    EXPECT_EQ(ending.objects.at(name), object) << name << Json::diff(object, ending.objects.at(name));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Streams, WatchFault,
    ::testing::Values(Case{"GoneAtStart", StreamFault::kGoneAtStart}, Case{"GoneInStream", StreamFault::kGoneInStream},
                      Case{"HalfOpen", StreamFault::kHalfOpen}, Case{"Broken", StreamFault::kBroken},
                      Case{"Senseless", StreamFault::kSenseless}, Case{"Doubled", StreamFault::kDoubled},
                      Case{"Outage", StreamFault::kOutage}),
    [](const auto& instance) { return instance.param.name; });

// How long the operators with a bug are given; those without one need a fraction of it.
constexpr std::chrono::seconds kPatience{5};

TEST(WatchFaultControl, AnOperatorThatDoesNotListAfter410IsCaught) {
  EXPECT_FALSE(LiveThrough(StreamFault::kGoneInStream, Bug::kNeverLists, kPatience).converged);
}

TEST(WatchFaultControl, AnOperatorThatNeverFindsAStreamDeadIsCaught) {
  EXPECT_FALSE(LiveThrough(StreamFault::kHalfOpen, Bug::kNeverFindsItDead, kPatience).converged);
}

}  // namespace
}  // namespace holdfast::faults
