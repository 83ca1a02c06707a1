#include "service/backends/postgres/change_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/log/log.h"
#include "service/backends/postgres/entry_row.h"

namespace holdfast::storage::postgres {
namespace {

constexpr std::int64_t kRowsPerRead = 500;
constexpr int kRowsPerTidying = 10'000;
constexpr std::chrono::milliseconds kLookAgain{1};       // at writers that are about to end
constexpr std::chrono::milliseconds kConnectPause{250};  // between two attempts

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

ChangeLog::ChangeLog(const Statements& statements, const PostgresOptions& options, PrimaryChoice& choice,
                     Watchdog& watchdog)
    : statements_(statements),
      options_(options),
      choice_(choice),
      watchdog_(watchdog),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      error_(Error(ErrorCode::kUnavailable, "the server has not been reached yet")),
      thread_([this] { Loop(); }) {}

Deadline ChangeLog::Patience() const {
  const auto most = options_.statement_timeout.count() > 0 ? options_.statement_timeout : std::chrono::seconds{60};
  return Deadline::After(most);
}

WriterIdentity ChangeLog::identity() const {
  std::lock_guard lock(mutex_);
  return identity_;
}

std::shared_ptr<ChangeListener> ChangeLog::listener() const {
  std::lock_guard lock(mutex_);
  return listener_;
}

void ChangeLog::SetListener(std::shared_ptr<ChangeListener> listener) {
  std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

Status ChangeLog::AwaitJoined(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto decided = [this] { return identity_.instance != 0 || stopping(); };
  if (changed_.wait_until(lock, deadline.WaitUntil(), decided) && identity_.instance != 0) return {};
  return error_;
}

void ChangeLog::Forget(std::int64_t instance) {
  {
    std::lock_guard lock(mutex_);
    if (identity_.instance == instance) {
      identity_ = WriterIdentity{};
      error_ =
          Error(ErrorCode::kUnavailable, "this instance was taken for gone and has not joined again yet: try again");
    }
  }
  Nudge();
}

Status ChangeLog::Rejoin(std::int64_t instance, Deadline deadline) {
  Forget(instance);
  return AwaitJoined(deadline);
}

void ChangeLog::Publish(std::span<const EntryChange> changes, ChangeCause cause, const WriteAnswer& answer,
                        Deadline deadline) {
  const std::shared_ptr<ChangeListener> listener = this->listener();
  if (!answer.log_position) {
    if (!listener) return;
    for (const EntryChange& change : changes) listener->OnChange(change.key, change.before, change.after, cause);
    return;
  }
  others_wait_.store(true, std::memory_order_release);
  Nudge();
  if (!listener) return;
  std::unique_lock lock(mutex_);
  const std::uint64_t joined = joined_;
  changed_.wait_until(lock, deadline.Sooner(Patience()).WaitUntil(),
                      [&] { return position_ >= *answer.log_position || joined_ != joined || stopping(); });
}

bool ChangeLog::AwaitCaughtUp(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const std::uint64_t next = looks_begun_ + 1;
  Nudge();
  const auto looked = [&] { return looks_ended_ >= next || stopping(); };
  return changed_.wait_until(lock, deadline.Sooner(Patience()).WaitUntil(), looked) && looks_ended_ >= next;
}

void ChangeLog::Nudge() const {
  const std::uint64_t one = 1;
  // A full counter wakes as well.
  static_cast<void>(!::write(wake_, &one, sizeof(one)));
}

void ChangeLog::Close() {
  std::lock_guard close(close_mutex_);
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_release);
    error_ = Error(ErrorCode::kUnavailable, "the postgres backend is closed");
  }
  changed_.notify_all();
  Nudge();
  thread_.join();
  ::close(wake_);
}

void ChangeLog::Loop() {
  while (!stopping()) {
    const Status worked = Work();
    if (!worked.ok()) {
      connection_.reset();
      // A lasting failure is logged once.
      if (!failing_) log::Warn("reading changes failed", {{"error", worked.error().message()}});
      std::lock_guard lock(mutex_);
      // Who else is there has to be seen again: another server may know of others.
      identity_.alone_epoch = -1;
      if (!stopping()) error_ = worked;
    }
    failing_ = !worked.ok();
    AwaitWork();
  }
  const std::int64_t instance = identity().instance;
  if (instance == 0 || !connection_) return;
  // Who does not leave is taken out after instance_timeout.
  const Answered left = connection_->Run(statements_.leave, Deadline::After(options_.connect_timeout), instance);
  if (!left.ok()) log::Warn("leaving the instances failed", {{"error", left.failure->error.message()}});
}

Status ChangeLog::Work() {
  if (!connection_ || !connection_->usable()) HOLDFAST_RETURN_IF_ERROR(Connect());
  if (identity().instance == 0) HOLDFAST_RETURN_IF_ERROR(Join());
  HOLDFAST_ASSIGN_OR_RETURN(const int notified, connection_->TakeNotifications());
  static_cast<void>(notified);  // whether or not, the log is looked at
  const bool tell = others_wait_.exchange(false, std::memory_order_acq_rel);
  HOLDFAST_RETURN_IF_ERROR(LookWhoIsThere());
  if (tell) {
    const Answered told = connection_->RunPlain(statements_.notify, Patience());
    if (!told.ok()) return told.failure->error;
  }
  return Tidy();
}

Status ChangeLog::Connect() {
  connection_.reset();
  HOLDFAST_ASSIGN_OR_RETURN(connection_,
                            Connection::Open(options_, Connection::Purpose::kNotifications, choice_, watchdog_));
  listening_ = !options_.pooled || !options_.direct_url.empty();
  if (!listening_) return {};
  const Answered listened = connection_->RunPlain(statements_.listen, Patience());
  if (!listened.ok()) return listened.failure->error;
  return {};
}

Status ChangeLog::Join() {
  const Answered joined = connection_->Run(statements_.join, Patience(), fmt::format("{}:{}", HostName(), ::getpid()));
  if (!joined.ok()) return joined.failure->error;
  const pqxx::row row = joined.rows[0];
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t instance, NumberOf(row[0]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t start, NumberOf(row[2]));
  const std::shared_ptr<ChangeListener> told = listener();
  if (joined_before_) {
    log::Warn("this instance joins again and has missed changes", {{"instance", instance}});
    if (told) told->OnMissed();
  }
  joined_before_ = true;
  timeline_ = row[3].c_str();
  settled_ = start;
  {
    std::lock_guard lock(mutex_);
    position_ = start;
    ++joined_;
    identity_ = WriterIdentity{instance, -1};
    error_ = {};
  }
  changed_.notify_all();
  return {};
}

Status ChangeLog::LookWhoIsThere() {
  std::int64_t instance = 0;
  std::uint64_t look = 0;
  {
    std::lock_guard lock(mutex_);
    instance = identity_.instance;
    look = ++looks_begun_;
  }
  // A server that hangs is not waited for as long as for a statement that has work to do.
  const Answered looked =
      connection_->Run(statements_.alone, Deadline::After(options_.connect_timeout).Sooner(Patience()), instance);
  if (!looked.ok()) return looked.failure->error;
  const pqxx::row row = looked.rows[0];
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t epoch, NumberOf(row[0]));
  const bool others = row[1].c_str()[0] == 't';
  const bool here = row[2].c_str()[0] == 't';
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t newest, NumberOf(row[3]));
  const bool same = timeline_.empty() || timeline_ == row[4].c_str();
  timeline_ = row[4].c_str();
  // A position that went back is that of a restored copy.
  if (!here || !same || newest < position_) return LeaveBehind(instance, here);
  if (newest > position_) HOLDFAST_RETURN_IF_ERROR(Drain(newest, !others));
  std::unique_lock lock(mutex_);
  // With nobody else there and everything of theirs told, nothing can come in between what the writers here tell
  // themselves. Whoever joins later raises the epoch before writing.
  const bool alone = !others && position_ >= newest;
  if (identity_.instance == instance) identity_.alone_epoch = alone ? epoch : -1;
  looks_ended_ = look;
  lock.unlock();
  changed_.notify_all();
  return {};
}

Status ChangeLog::LeaveBehind(std::int64_t instance, bool here) {
  Forget(instance);
  if (!here) return {};
  // Else it would count as another instance until it is taken out.
  const Answered left = connection_->Run(statements_.leave, Patience(), instance);
  if (!left.ok()) return left.failure->error;
  return {};
}

Status ChangeLog::Drain(std::int64_t newest, bool to_the_end) {
  while (!stopping()) {
    const Answered read = connection_->Run(statements_.changes, Patience(), position_, kRowsPerRead);
    if (!read.ok()) return read.failure->error;
    const bool full = static_cast<std::int64_t>(read.rows.size()) == kRowsPerRead;
    bool missing = false;
    for (const pqxx::row& row : read.rows) {
      HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t position, NumberOf(row[0]));
      if (position > newest) newest = position;
      missing = missing || (position != position_ + 1 && position > settled_);
      if (!missing) HOLDFAST_RETURN_IF_ERROR(Deliver(row));
    }
    // What is missing behind the last row of a full page shows on the next.
    if (!missing && full) continue;
    // Whoever still writes behind the last row tells when it is there.
    if (!missing && !to_the_end) return {};
    if (settled_ >= newest) Passed(newest);
    if (position_ >= newest) return {};
    // Every position up to `newest` had been drawn before this.
    HOLDFAST_RETURN_IF_ERROR(AwaitWriters());
    settled_ = newest;
  }
  return {};
}

Status ChangeLog::AwaitWriters() {
  std::optional<std::set<std::string>> left;
  while (!stopping()) {
    const Answered writers = connection_->Run(statements_.writers, Patience());
    if (!writers.ok()) return writers.failure->error;
    std::set<std::string> now;
    for (const pqxx::row& row : writers.rows) now.insert(row[0].c_str());
    if (!left) {
      left = std::move(now);
    } else {
      std::erase_if(*left, [&](const std::string& writer) { return now.count(writer) == 0; });
    }
    if (left->empty()) return {};
    std::this_thread::sleep_for(kLookAgain);
  }
  return {};
}

Status ChangeLog::Deliver(const pqxx::row& row) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t position, NumberOf(row[0]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::string key, BytesOf(row[1]));
  HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t cause, NumberOf(row[2]));
  HOLDFAST_ASSIGN_OR_RETURN(const EntryPtr before, EntryOf(row, 3));
  HOLDFAST_ASSIGN_OR_RETURN(const EntryPtr after, EntryOf(row, 11));
  if (const std::shared_ptr<ChangeListener> told = listener()) {
    told->OnChange(key, before, after, static_cast<ChangeCause>(cause));
  }
  Passed(position);
  return {};
}

void ChangeLog::Passed(std::int64_t position) {
  {
    std::lock_guard lock(mutex_);
    position_ = std::max(position_, position);
  }
  changed_.notify_all();
}

Status ChangeLog::Tidy() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_tidying_) return {};
  next_tidying_ = now + options_.instance_timeout / 6;
  const Answered seen = connection_->Run(statements_.seen, Patience(), identity().instance, position_);
  if (!seen.ok()) return seen.failure->error;
  const Answered tidied =
      connection_->Run(statements_.tidy, Patience(), options_.instance_timeout.count(), kRowsPerTidying);
  if (!tidied.ok()) return tidied.failure->error;
  return {};
}

void ChangeLog::AwaitWork() {
  std::array<pollfd, 2> files{pollfd{wake_, POLLIN, 0}, pollfd{-1, POLLIN, 0}};
  if (connection_) files[1].fd = connection_->socket();
  const auto most = connection_ ? options_.poll_interval : kConnectPause;
  if (stopping()) return;
  static_cast<void>(::poll(files.data(), files.size(), static_cast<int>(most.count())));
  std::uint64_t count = 0;
  static_cast<void>(!::read(wake_, &count, sizeof(count)));
}

}  // namespace holdfast::storage::postgres
