#include "service/durability/checkpoint_source.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace holdfast::durability {
namespace {

// The checkpoint as it comes into being.
class ComingCheckpoint {
 public:
  ComingCheckpoint(EntryPages pages, CheckpointHeader header, const WriterOptions& options,
                   std::function<Status()> accept)
      : pages_(std::move(pages)),
        header_(std::move(header)),
        accept_(std::move(accept)),
        writer_(
            [this](std::string_view bytes) {
              ready_ += bytes;
              return Status();
            },
            options) {}

  Result<std::size_t> Read(char* buffer, std::size_t size) {
    while (ready_.size() - at_ < size && !complete_) HOLDFAST_RETURN_IF_ERROR(Step());
    const std::size_t some = std::min(size, ready_.size() - at_);
    std::memcpy(buffer, ready_.data() + at_, some);
    at_ += some;
    return some;
  }

 private:
  Status Step() {
    ready_.erase(0, std::exchange(at_, 0));
    if (!begun_) {
      begun_ = true;
      return writer_.Begin(header_);
    }
    HOLDFAST_ASSIGN_OR_RETURN(const auto items, pages_());
    for (const storage::KeyedEntry& item : items) HOLDFAST_RETURN_IF_ERROR(writer_.Add(item.key, *item.entry));
    if (!items.empty()) return {};
    HOLDFAST_RETURN_IF_ERROR(accept_());
    complete_ = true;
    HOLDFAST_RETURN_IF_ERROR(writer_.Finish());
    return {};
  }

  const EntryPages pages_;
  const CheckpointHeader header_;
  const std::function<Status()> accept_;
  bool begun_ = false;
  bool complete_ = false;
  std::string ready_;
  std::size_t at_ = 0;
  CheckpointWriter writer_;  // last: its sink fills what stands above
};

}  // namespace

ByteSource CheckpointOf(EntryPages pages, CheckpointHeader header, const WriterOptions& options,
                        std::function<Status()> accept) {
  const auto whole =
      std::make_shared<ComingCheckpoint>(std::move(pages), std::move(header), options, std::move(accept));
  return [whole](char* buffer, std::size_t size) { return whole->Read(buffer, size); };
}

}  // namespace holdfast::durability
