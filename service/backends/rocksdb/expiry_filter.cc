#include "service/backends/rocksdb/expiry_filter.h"

#include <algorithm>

#include "service/backends/rocksdb/entry_codec.h"
#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

class ExpiryFilter : public rocksdb::CompactionFilter {
 public:
  ExpiryFilter(Timestamp now, std::shared_ptr<std::atomic<std::uint64_t>> removed)
      : now_(now), removed_(std::move(removed)) {}

  const char* Name() const override { return "HoldfastExpiry"; }

  bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& row, std::string* /*new_value*/,
              bool* /*value_changed*/) const override {
    // The cheap look first: most entries never expire.
    const Result<std::optional<Timestamp>> expires_at = DecodeExpiry(row.ToStringView());
    if (!expires_at.ok() || !*expires_at || **expires_at > now_) return false;
    const Result<DecodedEntry> decoded = DecodeEntry(key.ToStringView(), row.ToStringView(), Decode::kWithoutValue);
    if (!decoded.ok() || !IsExpired(*decoded->entry, now_)) return false;
    removed_->fetch_add(1, std::memory_order_relaxed);
    return true;
  }

 private:
  const Timestamp now_;
  const std::shared_ptr<std::atomic<std::uint64_t>> removed_;
};

class ExpiryFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  ExpiryFilterFactory(const Clock& clock, std::shared_ptr<const SweptUntil> swept,
                      std::shared_ptr<std::atomic<std::uint64_t>> removed)
      : clock_(clock), swept_(std::move(swept)), removed_(std::move(removed)) {}

  const char* Name() const override { return "HoldfastExpiryFactory"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& /*context*/) override {
    const std::int64_t swept = swept_->load(std::memory_order_acquire);
    if (swept == 0) return nullptr;
    const Timestamp until = std::min(clock_.Now(), Timestamp{std::chrono::microseconds{swept}});
    return std::make_unique<ExpiryFilter>(until - kCompactionGrace, removed_);
  }

 private:
  const Clock& clock_;
  const std::shared_ptr<const SweptUntil> swept_;
  const std::shared_ptr<std::atomic<std::uint64_t>> removed_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> MakeExpiryFilterFactory(
    const Clock& clock, std::shared_ptr<const SweptUntil> swept, std::shared_ptr<std::atomic<std::uint64_t>> removed) {
  return std::make_shared<ExpiryFilterFactory>(clock, std::move(swept), std::move(removed));
}

}  // namespace holdfast::storage
