#include "service/api/list_stream.h"

#include <algorithm>
#include <utility>

#include "service/api/item_json.h"
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
    : PagedStream(exchange.store(), "a list"),
      tenant_(exchange.shared_tenant()),
      list_(std::move(list)),
      step_timeout_(step_timeout),
      first_deadline_(exchange.deadline()),
      walk_(list_, std::move(from)) {}

Result<bool> ListStream::ReadPage(std::string* lines) {
  const std::size_t most = list_.limit == 0 ? SIZE_MAX : list_.limit - taken_;
  Lines visitor(list_.values, most, lines);
  const std::size_t read = walk_.read();
  const std::size_t entries = std::min(entries_, most);
  const Deadline deadline =
      first_deadline_ ? *std::exchange(first_deadline_, std::nullopt) : Deadline::After(step_timeout_);
  HOLDFAST_RETURN_IF_ERROR(walk_.Step(*tenant_->keys, {entries, entries, kMostExamined}, deadline, &visitor));
  taken_ += visitor.taken();
  // Large values come in small pages and small ones in large pages.
  if (lines->size() > kPageBytes) {
    entries_ = std::max<std::size_t>(1, (walk_.read() - read) * kPageBytes / lines->size());
  } else {
    entries_ = std::min(entries_ * 2, kMostEntries);
  }
  return !walk_.complete() && (list_.limit == 0 || taken_ < list_.limit);
}

}  // namespace holdfast::api
