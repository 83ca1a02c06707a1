#include "service/api/paged_stream.h"

#include <algorithm>
#include <utility>

#include "base/log/log.h"
#include "service/execution/executor.h"

namespace holdfast::api {

Status PagedStream::ReadFirst() {
  std::string page;
  HOLDFAST_ASSIGN_OR_RETURN(const bool more, ReadPage(&page));
  const std::lock_guard lock(mutex_);
  ready_ = std::move(page);
  end_ = !more;
  return {};
}

void PagedStream::ReadAhead() {
  std::string page;
  const Result<bool> more = ReadPage(&page);
  if (!more.ok()) log::Warn(what_ + " was cut off", {{"store", store_.name}, {"error", more.error().ToString()}});
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    ready_ = std::move(page);
    pulled_ = 0;
    reading_ = false;
    failed_ = !more.ok();
    end_ = more.ok() && !*more;
    wake = wake_;
  }
  if (wake) wake();
}

void PagedStream::Start(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

BodyStream::State PagedStream::Pull(std::string* out, std::size_t most) {
  const std::lock_guard lock(mutex_);
  const std::size_t size = std::min(most, ready_.size() - pulled_);
  out->append(ready_, pulled_, size);
  pulled_ += size;
  if (pulled_ < ready_.size()) return State::kMore;
  if (failed_) return State::kFailed;
  if (end_) return State::kEnd;
  if (!reading_) {
    ready_ = std::string();
    pulled_ = 0;
    const tracing::Scope scope(context_);
    reading_ = store_.executor->Run([self = shared_from_this()] { self->ReadAhead(); });
    // Overload, or the end of the service: the client sees that it is not whole and comes back.
    if (!reading_) return State::kFailed;
  }
  return State::kWait;
}

}  // namespace holdfast::api
