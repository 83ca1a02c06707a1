// A replicated store over three backends in memory, each of which can be taken away, and what its tests ask of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/failover_rows.h"
#include "service/composition/replicated_backend.h"
#include "tests/unit/service/composition/removable_backend.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {

class ReplicatedTest : public testing::Test {
 protected:
  using State = RemovableBackend::State;
  static constexpr std::size_t kReplicas = 3;

  ReplicatedTest() {
    options_.store = "s";
    options_.call_timeout = std::chrono::seconds{1};     // a busy machine is no replica that hangs
    options_.start_patience = std::chrono::seconds{20};  // of the first attempt, which says so when it fails
    options_.retry_pause = std::chrono::milliseconds{5};
    for (std::size_t i = 0; i < kReplicas; ++i) Renew(i);
  }
  ~ReplicatedTest() override { store_.reset(); }

  // An empty volume in the place of what was there.
  void Renew(std::size_t replica) {
    replicas_.resize(kReplicas);
    replicas_[replica] =
        std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend(memory_, clock_)));
  }
  std::shared_ptr<ReplicatedBackend> Make() {
    std::vector<NamedReplica> named;
    for (std::size_t i = 0; i < kReplicas; ++i) named.push_back({"r" + std::to_string(i), replicas_[i]});
    auto store = std::make_shared<ReplicatedBackend>(named, options_, storage::Limits{}, clock_);
    store->SetChangeListener(listener_);
    store->Start();
    return store;
  }
  // As a process that is killed leaves the replicas and the next one finds them.
  void Restart() {
    store_.reset();
    store_ = Make();
  }
  void Open() {
    Restart();
    AwaitSame();
  }
  std::size_t Up() const {
    std::size_t up = 0;
    for (const storage::ReplicaStatus& replica : store_->status().replicas) up += replica.standing == "up" ? 1 : 0;
    return up;
  }
  void AwaitUp(std::size_t replicas) {
    ASSERT_TRUE(Eventually([&] { return Up() == replicas; })) << Up() << " are up; " << store_->status().reason;
  }
  // And nothing waits for any of them.
  void AwaitSame() {
    AwaitUp(kReplicas);
    ASSERT_TRUE(Eventually([&] {
      for (const storage::ReplicaStatus& replica : store_->status().replicas) {
        if (replica.waiting_batches > 0) return false;
      }
      return true;
    }));
  }
  void Lose(std::size_t replica, State how = State::kGone) {
    replicas_[replica]->Set(how);
    // It is found out by what is asked of it.
    ASSERT_TRUE(Eventually([&] {
      static_cast<void>(store_->CheckHealth(Deadline::Infinite()));
      return store_->status().replicas[replica].standing != "up";
    }));
  }
  void GiveBack(std::size_t replica) { replicas_[replica]->Set(State::kThere); }
  std::size_t Leader() const {
    const storage::ReplicationStatus now = store_->status();
    for (std::size_t i = 0; i < now.replicas.size(); ++i) {
      if (now.replicas[i].leader) return i;
    }
    return now.replicas.size();
  }

  static std::string CodeOf(const Status& status) {
    return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
  }
  storage::OperationResult Run(const storage::Operation& operation, Deadline deadline = Deadline::Infinite()) {
    return storage::ExecuteOne(*store_, operation, deadline);
  }
  std::string Put(const std::string& key, const std::string& value) {
    return CodeOf(Run(storage::Operation::Put(key, value)).status);
  }
  std::string Delete(const std::string& key) { return CodeOf(Run(storage::Operation::Delete(key)).status); }
  // The value, or the name of the error.
  std::string Get(const std::string& key) {
    const storage::OperationResult result = Run(storage::Operation::Get(key));
    return result.status.ok() ? result.entry->value : CodeOf(result.status);
  }
  // Key and value of everything that one replica has, whatever the store says.
  std::string Has(std::size_t replica) {
    const auto page = SecondaryCopy(replicas_[replica]).Scan({}, Deadline::Infinite());
    if (!page.ok()) return CodeOf(page.error());
    std::string all;
    for (const storage::KeyedEntry& row : page->entries) all += row.key + "=" + row.entry->value + " ";
    return all;
  }
  // Behind the store's back.
  void Tamper(std::size_t replica, const std::string& key, const storage::EntryPtr& entry) {
    ASSERT_TRUE(SecondaryCopy(replicas_[replica])
                    .Write(std::vector<SecondaryCopy::New>{{key, entry}}, Deadline::Infinite())
                    .ok());
  }
  storage::EntryPtr EntryAt(std::size_t replica, const std::string& key) {
    const std::vector<storage::Operation> gets = {storage::Operation::Get(key)};
    std::vector<storage::OperationResult> results(1);
    SecondaryCopy(replicas_[replica]).Get(gets, results, Deadline::Infinite());
    return results[0].entry;
  }
  std::string Conflicts() {
    const auto found = store_->Conflicts(storage::KeyRange::All(), 100, Deadline::Infinite());
    if (!found.ok()) return CodeOf(found.error());
    std::string all;
    for (const storage::FailoverConflict& conflict : found->conflicts) {
      all += conflict.key + "=" + conflict.entry->value + " ";
    }
    return all;
  }

  ManualClock clock_;
  ReplicaOptions options_;
  storage::MemoryOptions memory_;                      // of a replica that is renewed
  std::shared_ptr<storage::ChangeListener> listener_;  // of the next store that is made
  std::vector<std::shared_ptr<RemovableBackend>> replicas_;
  std::shared_ptr<ReplicatedBackend> store_;
};

}  // namespace holdfast::composition
