// The thread that does what is left to do for the collections of one store (maintenance.h), one bounded step after the
// other, the collections in turns. It keeps nothing that cannot be found again: at its start it looks through the
// store, and whoever comes across something unfinished may say so.
//
// What fails is tried again by itself, after one second at first and at least once a minute, and holds up nothing else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "base/result/result.h"
#include "service/storage/tenant_view.h"

namespace holdfast::documents {

class Maintainer {
 public:
  // `backend`: of the store, not confined to a tenant.
  Maintainer(std::shared_ptr<storage::Backend> backend, std::string store,
             std::shared_ptr<storage::TenantViews> tenants);
  ~Maintainer() { Stop(); }
  Maintainer(const Maintainer&) = delete;
  Maintainer& operator=(const Maintainer&) = delete;

  // Begins to work, once, unless it was stopped before. What is added earlier waits until then.
  void Start();

  // Something may be left to do for the collection, or with an empty name for deleted ones. Thread-safe, cheap; ignored
  // when kMaxWaiting collections wait: each is found again when it is next asked about, or at the next start.
  static constexpr std::size_t kMaxWaiting = 10'000;
  void Add(std::string_view name_space, std::string_view collection);

  // Waits for the step in progress. Idempotent. Nothing is lost: the next start goes on from there.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Job {
    std::string name_space;
    std::string collection;
    bool look_through = false;  // the whole store, for what is unfinished
    friend auto operator<=>(const Job&, const Job&) = default;
  };
  void Loop();
  // The next one to be taken a step further; nullopt when it is to stop.
  std::optional<Job> Next();
  // True: there is more.
  Result<bool> Step(const Job& job);
  void Add(Job job);
  void TryLater(Job job);
  bool stopping();
  // Every collection of the store for which something is left to do. A namespace that cannot be read does not hide the
  // others; the error is the first.
  Status FindUnfinished();
  Status FindUnfinishedOf(const std::string& name_space);

  const std::shared_ptr<storage::Backend> backend_;
  const std::string store_;
  const std::shared_ptr<storage::TenantViews> tenants_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> waiting_;           // guarded by mutex_
  std::multimap<Time, Job> delayed_;  // guarded by mutex_; what failed, by when it is tried again
  std::set<Job> known_;               // guarded by mutex_; what waiting_ and delayed_ hold
  std::map<Job, int> failures_;       // guarded by mutex_; in a row, of what has failed last
  bool stopping_ = false;             // guarded by mutex_
  std::thread thread_;
};

}  // namespace holdfast::documents
