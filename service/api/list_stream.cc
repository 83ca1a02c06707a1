#include "service/api/list_stream.h"

#include <algorithm>

#include "base/log/log.h"
#include "service/api/item_json.h"
#include "service/execution/executor.h"
#include "service/json/json_writer.h"

namespace holdfast::api {

class ListStream::Lines final : public WalkVisitor {
 public:
  Lines(bool values, std::size_t most, std::string* out) : values_(values), most_(most), out_(out) {}

  bool OnItem(const storage::KeyedEntry& item) override {
    if (taken_ == most_) return false;
    json::JsonWriter line;
    WriteItem(item.key, *item.entry, item.value_bytes, values_, &line);
    return Add(&line);
  }
  bool OnPrefix(std::string_view prefix) override {
    if (taken_ == most_) return false;
    json::JsonWriter line;
    line.BeginObject().Key("prefix");
    WriteCommonPrefix(prefix, &line);
    line.EndObject();
    return Add(&line);
  }
  std::size_t taken() const { return taken_; }

 private:
  bool Add(json::JsonWriter* line) {
    out_->append(line->Take()).push_back('\n');
    ++taken_;
    return true;
  }

  const bool values_;
  const std::size_t most_;
  std::string* const out_;
  std::size_t taken_ = 0;
};

ListStream::ListStream(const Exchange& exchange, ListQuery list, std::optional<ListPosition> from,
                       std::chrono::microseconds step_timeout)
    : store_(exchange.store()),
      tenant_(exchange.shared_tenant()),
      list_(std::move(list)),
      step_timeout_(step_timeout),
      walk_(list_, std::move(from)) {}

Status ListStream::ReadPage(Deadline deadline, std::string* lines) {
  const std::size_t most = list_.limit == 0 ? SIZE_MAX : list_.limit - taken_;
  Lines visitor(list_.values, most, lines);
  const std::size_t read = walk_.read();
  const std::size_t entries = std::min(entries_, most);
  HOLDFAST_RETURN_IF_ERROR(walk_.Step(*tenant_->keys, {entries, entries, kMostExamined}, deadline, &visitor));
  taken_ += visitor.taken();
  // Large values come in small pages and small ones in large pages.
  if (lines->size() > kPageBytes) {
    entries_ = std::max<std::size_t>(1, (walk_.read() - read) * kPageBytes / lines->size());
  } else {
    entries_ = std::min(entries_ * 2, kMostEntries);
  }
  return {};
}

Status ListStream::ReadFirst(Deadline deadline) {
  std::string lines;
  HOLDFAST_RETURN_IF_ERROR(ReadPage(deadline, &lines));
  const std::lock_guard lock(mutex_);
  ready_ = std::move(lines);
  end_ = walk_.complete() || (list_.limit != 0 && taken_ == list_.limit);
  return {};
}

void ListStream::ReadAhead() {
  std::string lines;
  const Status read = ReadPage(Deadline::After(step_timeout_), &lines);
  if (!read.ok()) {
    log::Warn("a list was cut off", {{"store", store_.name}, {"error", read.error().ToString()}});
  }
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    ready_ = std::move(lines);
    pulled_ = 0;
    reading_ = false;
    failed_ = !read.ok();
    end_ = walk_.complete() || (list_.limit != 0 && taken_ == list_.limit);
    wake = wake_;
  }
  if (wake) wake();
}

void ListStream::Start(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

BodyStream::State ListStream::Pull(std::string* out, std::size_t most) {
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
    reading_ = store_.executor->Run([self = shared_from_this()] { self->ReadAhead(); });
    // Overload, or the end of the service: the client sees that the list is not whole and comes back.
    if (!reading_) return State::kFailed;
  }
  return State::kWait;
}

}  // namespace holdfast::api
