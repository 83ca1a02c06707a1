// Wrappers of a store's own: around all that it is composed of, beside the stores that share its backend, and none
// where none are asked for.
#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <ostream>
#include <tuple>

#include "service/assembly.h"
#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using resilience::CircuitState;
using resilience::Lane;
using std::chrono::milliseconds;
using storage::Operation;
using storage::OperationResult;
using testing::HasSubstr;

const Deadline kNever = Deadline::Infinite();

// Hangs while it is told to: calls end at their deadlines, as those of a server that does not answer. Thread-safe.
class HangingBackend final : public storage::ForwardingBackend {
 public:
  explicit HangingBackend(std::shared_ptr<storage::Backend> backend) : ForwardingBackend(std::move(backend)) {}

  void Hang(bool hang) {
    {
      const std::lock_guard lock(mutex_);
      hangs_ = hang;
    }
    changed_.notify_all();
  }
  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  // Whether so many calls have come within a minute.
  bool WaitForCalls(int calls) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return calls_ >= calls; });
  }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    {
      std::unique_lock lock(mutex_);
      ++calls_;
      changed_.notify_all();
      if (!changed_.wait_until(lock, deadline.WaitUntil(), [this] { return !hangs_; })) {
        return storage::FailAll(results, Error(ErrorCode::kDeadlineExceeded, "no answer from the server"));
      }
    }
    backend().Execute(operations, results, deadline);
  }
  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = backend().capabilities();
    capabilities.inline_reads = capabilities.inline_writes = false;  // as behind a network
    return capabilities;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = false;  // guarded by mutex_
  int calls_ = 0;       // guarded by mutex_
};

// Backends and stores as `holdfast serve` puts them together.
class Assembled {
 public:
  explicit Assembled(const std::vector<std::string>& flags) {
    std::optional<ServiceSettings> settings;
    EXPECT_EQ(ProblemsOf(flags, {}, &settings), "");
    settings_ = std::move(settings).value();
    guards_ = MakeGuards(settings_);
    backends_ = OpenBackends(settings_.backends).value();
    for (OpenBackend& open : backends_) {
      if (open.name != "local") continue;
      local_ = std::make_shared<HangingBackend>(open.backend);
      open.backend = local_;
    }
    PutBehindGuards(guards_.backends, &backends_);
    stores_ = BuildStores(settings_, backends_, guards_, std::make_shared<tenancy::UsageAccounts>(), registry_);
    ExportGuards(guards_, registry_);
  }
  ~Assembled() {
    local_->Hang(false);
    DrainStores(*stores_);
    StopFailovers(*stores_);
    StopMigrations(*stores_);
    StopReplication(*stores_);
    EXPECT_TRUE(CloseBackends(backends_).ok());
  }

  HangingBackend& local() { return *local_; }
  const storage::Store& store(const std::string& name) const { return *stores_->Find(name); }
  resilience::Guard& guard(const std::string& store) { return *guards_.stores.at(store); }
  const Guards& guards() const { return guards_; }
  std::string Metrics() const { return registry_.Serialize(); }

  // As a request of a client, which waits in the store's queue.
  Status Ask(const std::string& store, Operation operation, Deadline deadline) const {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Status> status;
    this->store(store).executor->SubmitOne(std::move(operation), deadline, [&](OperationResult&& result) {
      const std::lock_guard lock(mutex);
      status = std::move(result.status);
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return status.has_value(); });
    return *status;
  }
  Status Get(const std::string& store, Deadline deadline) const { return Ask(store, Operation::Get(store), deadline); }
  // Past the queue.
  Status Execute(const std::string& store, const Operation& operation) const {
    OperationResult result;
    this->store(store).backend->Execute({&operation, 1}, {&result, 1}, kNever);
    return result.status;
  }

 private:
  ServiceSettings settings_;
  Guards guards_;
  metrics::Registry registry_;
  std::vector<OpenBackend> backends_;
  std::shared_ptr<HangingBackend> local_;
  std::shared_ptr<const storage::StoreRegistry> stores_;
};

std::string CodeOf(const Status& status) {
  return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
}

// Two stores on one backend, of which the first has what `more` says below stores.guarded.resilience.
std::vector<std::string> TwoStores(const std::vector<std::string>& more) {
  std::vector<std::string> flags = {"--backends.local.type=memory", "--stores.guarded.backend=local",
                                    "--stores.plain.backend=local", "--default_store=plain"};
  for (const std::string& each : more) flags.push_back("--stores.guarded.resilience." + each);
  return flags;
}

const std::vector<std::string> kBreaker = {"call_timeout=20ms", "breaker=true", "breaker_min_operations=5",
                                           "breaker_window=1h", "breaker_open=1h"};
constexpr int kEnoughToOpen = 20;

TEST(StoreGuards, AStoreWithABreakerFailsFastAndItsNeighbourDoesNot) {
  Assembled service(TwoStores(kBreaker));
  service.local().Hang(true);
  Status last;
  for (int i = 0; i < kEnoughToOpen && CodeOf(last) != "circuit_open"; ++i) last = service.Get("guarded", kNever);
  ASSERT_EQ(CodeOf(last), "circuit_open") << last.error().ToString();
  EXPECT_THAT(last.error().message(), HasSubstr("store guarded failed too often"));

  // Without any deadline the request would wait for ever if it reached the backend.
  const int before = service.local().calls();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(CodeOf(service.Get("guarded", kNever)), "circuit_open");
  EXPECT_EQ(service.local().calls(), before);
  // Its writes have a circuit of their own, which nothing has opened.
  const Status put = service.Ask("guarded", Operation::Put("k", "v"), kNever);
  EXPECT_THAT(put.error().message(), HasSubstr("call_timeout of store guarded (20 ms): no answer from the server"));
  // Its neighbour's reads reach the backend still, and wait for it.
  auto neighbour = std::async(std::launch::async, [&] { return service.Get("plain", kNever); });
  EXPECT_TRUE(service.local().WaitForCalls(before + 2));
  EXPECT_EQ(CodeOf(service.Get("guarded", kNever)), "circuit_open");

  // The backend is back, and who was never cut off has it at once.
  service.local().Hang(false);
  EXPECT_EQ(CodeOf(neighbour.get()), "not_found");
  EXPECT_EQ(CodeOf(service.Get("plain", kNever)), "not_found");
  EXPECT_EQ(CodeOf(service.Get("guarded", kNever)), "circuit_open");
}

// The control of the case above: what it finds is the breaker's doing.
TEST(StoreGuards, WithoutABreakerEveryCallReachesTheBackend) {
  Assembled service(TwoStores({"call_timeout=20ms"}));
  service.local().Hang(true);
  for (int i = 0; i < kEnoughToOpen; ++i) EXPECT_EQ(CodeOf(service.Get("guarded", kNever)), "deadline_exceeded");
  EXPECT_EQ(service.local().calls(), kEnoughToOpen);
}

TEST(StoreGuards, AStoreThatAsksForNothingHasNoWrapper) {
  Assembled service(TwoStores({}));
  EXPECT_TRUE(service.guards().stores.empty());
  EXPECT_TRUE(service.guards().backends.empty());
  const std::shared_ptr<storage::Backend> backend = storage::MakeMemoryBackend({});
  EXPECT_EQ(Behind(nullptr, backend), backend);
  EXPECT_EQ(WithCircuits("{\"status\":\"healthy\"}", service.guards()), "{\"status\":\"healthy\"}");
}

// A store that allows little time is no evidence against a backend that others share.
TEST(StoreGuards, AShortTimeoutOfAStoreOpensNoCircuitOfItsBackend) {
  std::vector<std::string> flags = TwoStores(kBreaker);
  flags.insert(flags.end(), {"--backends.local.breaker=true", "--backends.local.breaker_min_operations=1",
                             "--backends.local.breaker_patience=1h"});
  Assembled service(flags);
  service.local().Hang(true);
  for (int i = 0; i < kEnoughToOpen; ++i) static_cast<void>(service.Get("guarded", kNever));
  EXPECT_EQ(service.guard("guarded").circuit(Lane::kRead)->state(), CircuitState::kOpen);
  EXPECT_EQ(service.guards().backends.at("local")->circuit(Lane::kRead)->state(), CircuitState::kClosed);
}

// And the other way round: what the backend's circuit refuses says nothing new of the store.
TEST(StoreGuards, ARefusalOfTheBackendsCircuitIsPassedOnAndNotCounted) {
  std::vector<std::string> flags = TwoStores({"breaker=true", "breaker_min_operations=1", "retry_attempts=3"});
  flags.insert(flags.end(), {"--backends.local.breaker=true", "--backends.local.breaker_min_operations=1",
                             "--backends.local.breaker_open=1h"});
  Assembled service(flags);
  auto& circuit = *service.guards().backends.at("local")->circuit(Lane::kRead);
  const auto permit = circuit.Admit();
  ASSERT_TRUE(permit);
  circuit.Record(*permit, 0, 1);
  for (int i = 0; i < kEnoughToOpen; ++i) {
    const Status refused = service.Execute("guarded", Operation::Get("k"));
    EXPECT_THAT(refused.error().message(), HasSubstr("backend local failed too often"));
  }
  EXPECT_EQ(service.guard("guarded").circuit(Lane::kRead)->state(), CircuitState::kClosed);
  EXPECT_EQ(service.guard("guarded").budget().taken(), 0u);
  EXPECT_EQ(service.local().calls(), 0);
}

TEST(StoreGuards, ABulkheadIsTheStoresAlone) {
  Assembled service(TwoStores({"bulkhead_calls=1"}));
  const auto place = service.guard("guarded").bulkhead()->Enter(kNever);
  ASSERT_TRUE(place);
  const Status refused = service.Execute("guarded", Operation::Get("k"));
  EXPECT_EQ(CodeOf(refused), "unavailable");
  EXPECT_THAT(refused.error().message(), HasSubstr("1 calls of store guarded are under way"));
  EXPECT_EQ(CodeOf(service.Execute("plain", Operation::Get("k"))), "not_found");
}

TEST(StoreGuards, MetricsAndHealthTellThemFromThoseOfBackends) {
  std::vector<std::string> flags =
      TwoStores({"breaker=true", "retry_attempts=2", "bulkhead_calls=9", "hedge_after=1h"});
  flags.insert(flags.end(), {"--backends.local.breaker=true", "--backends.local.bulkhead_calls=9"});
  Assembled service(flags);
  const std::string text = service.Metrics();
  for (const char* series :
       {R"(holdfast_circuit_state{backend="local",calls="read"} 0)", R"(holdfast_bulkhead_calls{backend="local"} 0)",
        R"(holdfast_circuit_state{calls="read",store="guarded"} 0)",
        R"(holdfast_circuit_opened_total{calls="write",store="guarded"} 0)",
        R"(holdfast_circuit_refused_total{calls="eventual_read",store="guarded"} 0)",
        R"(holdfast_retries_total{result="made",store="guarded"} 0)",
        R"(holdfast_hedges_total{result="sent",store="guarded"} 0)", R"(holdfast_bulkhead_calls{store="guarded"} 0)",
        R"(holdfast_bulkhead_refused_total{store="guarded"} 0)"}) {
    EXPECT_THAT(text, HasSubstr(series));
  }
  const std::string health = WithCircuits("{\"status\":\"healthy\"}", service.guards());
  EXPECT_THAT(health, HasSubstr(R"("circuits":[{"backend":"local","calls":"read","state":"closed"})"));
  EXPECT_THAT(health, HasSubstr(R"("store_circuits":[{"store":"guarded","calls":"read","state":"closed"})"));
}

struct Composition {
  const char* name;
  std::vector<std::string> flags;
};
void PrintTo(const Composition& composition, std::ostream* out) {
  *out << composition.name;
}

class ComposedStoreGuards : public testing::TestWithParam<Composition> {
 protected:
  static std::vector<std::string> Flags(const std::vector<std::string>& more) {
    std::vector<std::string> flags = {"--backends.local.type=memory", "--backends.other.type=memory",
                                      "--backends.third.type=memory", "--stores.main.backend=local"};
    for (const auto* each : {&GetParam().flags, &more}) flags.insert(flags.end(), each->begin(), each->end());
    return flags;
  }
};

INSTANTIATE_TEST_SUITE_P(Compositions, ComposedStoreGuards,
                         testing::Values(Composition{"Direct", {}},
                                         Composition{"Tiered",
                                                     {"--stores.main.cache=other", "--backends.other.max_bytes=1Mi",
                                                      "--backends.other.eviction=lru"}},
                                         Composition{"WriteBehind",
                                                     {"--stores.main.cache=other", "--backends.other.max_bytes=1Mi",
                                                      "--backends.other.eviction=lru", "--stores.main.write=behind",
                                                      "--stores.main.write_queue=third"}},
                                         Composition{"Failover", {"--stores.main.failover=other"}},
                                         Composition{"Replicated", {"--stores.main.replicas=other,third"}},
                                         Composition{"Moving", {"--stores.main.migrate_to=other"}}),
                         [](const auto& one) { return std::string(one.param.name); });

// Neither cache, queue, secondary nor replica answers for what the store's own circuit refuses: it is outside of them.
TEST_P(ComposedStoreGuards, TheWrapperIsAroundTheWhole) {
  Assembled service(Flags({"--stores.main.resilience.breaker=true", "--stores.main.resilience.breaker_min_operations=1",
                           "--stores.main.resilience.breaker_open=1h"}));
  for (const Lane lane : {Lane::kRead, Lane::kWrite}) {
    auto& circuit = *service.guard("main").circuit(lane);
    const auto permit = circuit.Admit();
    ASSERT_TRUE(permit);
    circuit.Record(*permit, 0, 1);
  }
  const std::string key("main\0default\0k", 14);
  for (const Operation& operation : {Operation::Get(key), Operation::Put(key, "v")}) {
    for (const Status& status : {service.Execute("main", operation), service.Ask("main", operation, kNever)}) {
      ASSERT_EQ(CodeOf(status), "circuit_open");
      EXPECT_THAT(status.error().message(), HasSubstr("store main failed too often"));
    }
  }
}

TEST_P(ComposedStoreGuards, WhatTheStorepromisesStays) {
  const auto promises = [](const storage::Capabilities& of) {
    return std::tuple(of.transactions, of.transactions_span_keys, of.durable_ack, of.ordered_scan,
                      of.fencing_survives_failover, of.inline_reads, of.inline_writes, of.reserves_versions,
                      of.versions_final, of.concurrent_calls, of.eager_calls, of.snapshots, of.durability);
  };
  const Assembled plain(Flags({}));
  // Without what makes calls wait, which may not be done on an I/O thread.
  const Assembled guarded(Flags({"--stores.main.resilience.breaker=true", "--stores.main.resilience.call_timeout=5s",
                                 "--stores.main.resilience.bulkhead_calls=100"}));
  const storage::Backend& a = *plain.store("main").backend;
  const storage::Backend& b = *guarded.store("main").backend;
  EXPECT_EQ(a.kind(), b.kind());
  EXPECT_EQ(a.limits().max_key_bytes, b.limits().max_key_bytes);
  EXPECT_EQ(promises(a.capabilities()), promises(b.capabilities()));
}

}  // namespace
}  // namespace holdfast::service
