// Two backends in memory and any number of instances of a store that moves from one to the other.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "service/backends/memory/memory_backend.h"
#include "service/dual_write/dual_write_backend.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::dual_write {

// A backend that can be made to fail, to answer late or to forget conditions.
class Faulty final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  std::atomic<bool> down{false};               // nothing is done
  std::atomic<bool> transactions_lost{false};  // not done, and nobody knows
  std::atomic<bool> forgets_conditions{false};
  std::atomic<int> delay_us{0};   // before a transaction
  std::atomic<bool> hold{false};  // a transaction waits while it is set
  std::atomic<int> held{0};       // so many have come to wait

  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    if (down) return storage::FailAll(results, Error(ErrorCode::kUnavailable, "down"));
    ForwardingBackend::Execute(operations, results, deadline);
  }
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    if (down) return Error(ErrorCode::kUnavailable, "down");
    if (transactions_lost) return Error(ErrorCode::kUnavailable, "lost");
    if (delay_us > 0) std::this_thread::sleep_for(std::chrono::microseconds{delay_us.load()});
    if (hold) ++held;
    while (hold) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    if (!forgets_conditions) return ForwardingBackend::Transact(transaction, deadline);
    storage::Transaction blind = transaction;
    blind.conditions.clear();
    return ForwardingBackend::Transact(blind, deadline);
  }
};

class MovingStore : public testing::Test {
 protected:
  static constexpr std::chrono::seconds kPatience{60};

  std::unique_ptr<DualWriteBackend> Instance(std::size_t batch = 50) {
    DualWriteOptions options;
    options.store = "main";
    options.range = storage::KeyRange::Prefix("k");
    options.membership.lease = std::chrono::seconds{5};
    options.mover.batch = batch;
    auto instance = std::make_unique<DualWriteBackend>(source_, target_, options);
    EXPECT_TRUE(instance->Start(Deadline::After(kPatience)).ok());
    return instance;
  }
  static void Do(DualWriteBackend& instance, Action action) {
    const Status done = instance.Act(action, Deadline::After(kPatience));
    EXPECT_TRUE(done.ok()) << ActionName(action) << ": " << done.error().ToString();
  }
  static void Await(const DualWriteBackend& instance, Phase phase) {
    const Deadline patience = Deadline::After(kPatience);
    while (instance.phase() != phase && !patience.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    EXPECT_EQ(PhaseName(phase), PhaseName(instance.phase()));
  }
  static storage::OperationResult Run(storage::Backend& backend, const storage::Operation& operation) {
    return storage::ExecuteOne(backend, operation, Deadline::After(kPatience));
  }
  // "-" where there is nothing, "!" and the code where it cannot be told.
  static std::string Value(storage::Backend& backend, const std::string& key) {
    const auto result = Run(backend, storage::Operation::Get(key));
    if (result.status.ok()) return result.entry->value;
    if (result.status.error().code() == ErrorCode::kNotFound) return "-";
    return "!" + std::string(ErrorCodeName(result.status.error().code()));
  }
  // While the instance looks at the source, which has nothing, at least twice.
  void ExpectToStay(const std::string& value, DualWriteBackend& instance, const std::string& key) {
    const Deadline patience = Deadline::After(kPatience);
    int looks = 0;
    while (looks < 2 && !patience.Expired()) {
      ASSERT_EQ(value, Value(instance, key));
      // Its row in the source is written anew before it looks.
      const auto removed = source_->DeleteRange(storage::KeyRange::All(), patience);
      if (removed.ok() && *removed > 0) ++looks;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    EXPECT_EQ(2, looks) << "it has not looked";
    EXPECT_EQ(value, Value(instance, key));
  }
  // What moves, as one of the backends has it: keys, values and expiries.
  static std::vector<std::string> Content(storage::Backend& backend) {
    std::vector<std::string> content;
    storage::ScanRequest request;
    request.range = storage::KeyRange::Prefix("k");
    request.limit = 10'000;
    const auto page = backend.Scan(request, Deadline::After(kPatience));
    EXPECT_TRUE(page.ok() && page->complete);
    for (const auto& item : page->entries) {
      content.push_back(item.key + "=" + item.entry->value + "@" +
                        (item.entry->expires_at ? std::to_string(item.entry->expires_at->time_since_epoch().count())
                                                : std::string("never")));
    }
    return content;
  }

  const std::shared_ptr<storage::Backend> source_{storage::MakeMemoryBackend({})};
  const std::shared_ptr<storage::Backend> beneath_{storage::MakeMemoryBackend(TargetOptions())};
  const std::shared_ptr<Faulty> target_ = std::make_shared<Faulty>(beneath_);

 private:
  static storage::MemoryOptions TargetOptions() {
    storage::MemoryOptions options;
    options.limits = WithRoomForRows(options.limits);
    return options;
  }
};

}  // namespace holdfast::dual_write
