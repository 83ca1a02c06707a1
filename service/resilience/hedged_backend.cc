#include "service/resilience/hedged_backend.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "service/execution/task_pool.h"
#include "service/storage/forwarding_backend.h"
#include "service/tracing/context.h"

namespace holdfast::resilience {
namespace {

using storage::Operation;
using storage::OperationResult;

constexpr int kBoth = 2;

// The answers to one read that was sent once or twice. Thread-safe; outlives who waits, as long as a call is under way.
template <typename Answer>
class Race {
 public:
  // `good`: not a failure that the other one might not have.
  void Answered(int attempt, Answer answer, bool good) {
    {
      const std::lock_guard lock(mutex_);
      --under_way_;
      // Of two failures the last one is given.
      if (good_) return;
      good_ = good;
      answer_ = std::move(answer);
      from_ = attempt;
    }
    changed_.notify_all();
  }
  void Begin() {
    const std::lock_guard lock(mutex_);
    ++under_way_;
  }
  // What was begun is not to be.
  void Forget() {
    {
      const std::lock_guard lock(mutex_);
      --under_way_;
    }
    changed_.notify_all();
  }
  // Whether it is decided within `time`.
  bool WaitFor(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return Decided(); });
  }
  // The answer and whose it is.
  std::pair<Answer, int> Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return Decided(); });
    return {std::move(*answer_), from_};
  }

 private:
  bool Decided() const { return answer_.has_value() && (good_ || under_way_ == 0); }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Answer> answer_;  // guarded by mutex_
  bool good_ = false;             // guarded by mutex_
  int from_ = 0;                  // guarded by mutex_
  int under_way_ = 0;             // guarded by mutex_
};

bool MayBeBetterElsewhere(const Status& status) {
  if (status.ok()) return false;
  const ErrorCode code = status.error().code();
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded;
}

class HedgedBackend final : public storage::ForwardingBackend {
 public:
  HedgedBackend(std::shared_ptr<storage::Backend> backend, std::shared_ptr<Guard> guard)
      : ForwardingBackend(std::move(backend)),
        guard_(std::move(guard)),
        calls_(guard_->options().hedge->calls),
        // Each read may have two places.
        pool_(kBoth * calls_, static_cast<std::size_t>(kBoth * calls_)) {}

  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = backend().capabilities();
    capabilities.inline_reads = false;
    return capabilities;
  }

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    const bool writes = std::any_of(operations.begin(), operations.end(),
                                    [](const Operation& operation) { return storage::IsWrite(operation.kind); });
    if (writes || !HasRoom()) return backend().Execute(operations, results, deadline);
    // The one that loses runs on behind the caller's end.
    const auto asked = std::make_shared<const std::vector<Operation>>(operations.begin(), operations.end());
    using Answers = std::vector<OperationResult>;
    Answers answers = Hedge<Answers>(
        [this, asked, deadline] {
          Answers given(asked->size());
          backend().Execute(*asked, given, deadline);
          return given;
        },
        [](const Answers& given) {
          return std::none_of(given.begin(), given.end(),
                              [](const OperationResult& one) { return MayBeBetterElsewhere(one.status); });
        });
    std::move(answers.begin(), answers.end(), results.begin());
  }

  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    if (!HasRoom()) return backend().Scan(request, deadline);
    using Page = Result<storage::ScanPage>;
    return Hedge<Page>([this, request, deadline]() -> Page { return backend().Scan(request, deadline); },
                       [](const Page& page) { return page.ok() || !MayBeBetterElsewhere(page.error()); });
  }

  Status Close() override {
    Status closed = backend().Close();
    pool_.Drain();
    return closed;
  }

 private:
  // Whether there are threads for a read and its second attempt now: those that lost may still have some.
  bool HasRoom() const { return sent_.load(std::memory_order_relaxed) + kBoth <= kBoth * calls_; }

  template <typename Answer, typename Call, typename Good>
  Answer Hedge(const Call& call, const Good& good) {
    const auto race = std::make_shared<Race<Answer>>();
    const auto send = [&](int attempt) {
      race->Begin();
      sent_.fetch_add(1, std::memory_order_relaxed);
      const tracing::Scope scope(attempt > 1 ? tracing::ContextOfHedge() : tracing::CurrentContext());
      const bool added = pool_.Add([this, race, call, good, attempt] {
        Answer answer = call();
        const bool is_good = good(answer);
        sent_.fetch_sub(1, std::memory_order_relaxed);
        race->Answered(attempt, std::move(answer), is_good);
      });
      if (!added) sent_.fetch_sub(1, std::memory_order_relaxed);
      return added;
    };
    // Closed: the backend says so.
    if (!send(1)) return call();
    guard_->hedge_budget().NoteCall();
    if (!race->WaitFor(guard_->options().hedge->after) && guard_->hedge_budget().Take() && !send(2)) race->Forget();
    auto [answer, from] = race->Wait();
    if (from == 2) guard_->NoteHedgeWon();
    return std::move(answer);
  }

  const std::shared_ptr<Guard> guard_;
  const int calls_;
  std::atomic<int> sent_{0};  // and not answered
  execution::TaskPool pool_;  // last: its threads use the others
};

}  // namespace

std::shared_ptr<storage::Backend> MakeHedgedBackend(std::shared_ptr<storage::Backend> backend,
                                                    std::shared_ptr<Guard> guard) {
  return std::make_shared<HedgedBackend>(std::move(backend), std::move(guard));
}

}  // namespace holdfast::resilience
