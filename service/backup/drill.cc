#include "service/backup/drill.h"

#include <fmt/format.h>

#include "base/log/log.h"
#include "service/durability/checkpoint_export.h"
#include "service/durability/restore.h"

namespace holdfast::backup {
namespace {

// A day that does not pass: what lived when the backup was made lives in the scratch store too, so that the count is
// the manifest's and not less by what has expired since.
class StandingClock final : public Clock {
 public:
  // Well before, since a backend has a clock of its own.
  explicit StandingClock(Timestamp backup) : now_(backup - std::chrono::hours{24}) {}
  Timestamp Now() const override { return now_; }
  MonotonicTime Monotonic() const override { return std::chrono::steady_clock::now(); }

 private:
  const Timestamp now_;
};

// Reads the scratch store as a backup of it would be read.
Status Compare(const Manifest& manifest, storage::Backend& scratch, Work& work) {
  work.Enter("compare", 0);
  durability::CheckpointHeader header;
  header.store = manifest.store;
  HOLDFAST_ASSIGN_OR_RETURN(const auto taken, durability::CheckpointExport::Open(scratch, std::move(header),
                                                                                 {.threads = 1}, work.deadline()));
  taken->HashContent();
  std::string bytes;
  for (bool more = true; more;) {
    HOLDFAST_RETURN_IF_ERROR(work.GoOn());
    bytes.clear();
    HOLDFAST_ASSIGN_OR_RETURN(more, taken->Next(&bytes));
  }
  const durability::CheckpointSummary& found = taken->summary();
  if (found.entries != manifest.entries || found.entry_bytes != manifest.entry_bytes) {
    return Damaged(
        fmt::format("restored into a scratch store it has {} entries of {} bytes, and its manifest says {} of {}",
                    found.entries, found.entry_bytes, manifest.entries, manifest.entry_bytes));
  }
  const bool hashed = manifest.format != kFormatWithoutContent;
  if (!hashed || taken->content() == manifest.content) return {};
  return Damaged(
      fmt::format("restored into a scratch store its content has hash {:016x}, and its manifest says {:016x}",
                  taken->content(), manifest.content));
}

Result<std::chrono::microseconds> RestoreAndCompare(const Chain& chain, Target& target, storage::Backend& scratch,
                                                    const Clock& clock, int threads, Work& work) {
  const Manifest& manifest = chain.back()->manifest;
  work.Enter("drill", BytesOf(chain));
  const auto begin = std::chrono::steady_clock::now();
  durability::RestoreOptions options;
  options.threads = threads;
  HOLDFAST_ASSIGN_OR_RETURN(durability::ByteSource source, CheckpointOf(chain, target, {.threads = threads}, work));
  HOLDFAST_RETURN_IF_ERROR(durability::Restore(std::move(source), scratch, manifest.store, clock, options));
  const auto took = std::chrono::steady_clock::now() - begin;
  HOLDFAST_RETURN_IF_ERROR(Compare(manifest, scratch, work));
  HOLDFAST_RETURN_IF_ERROR(ReadIndex(chain, target, work));
  return std::chrono::duration_cast<std::chrono::microseconds>(took);
}

}  // namespace

Result<std::chrono::microseconds> Drill(const Chain& chain, Target& target, ScratchPlace& place,
                                        const storage::Limits& limits, int threads, Work& work) {
  const Manifest& manifest = chain.back()->manifest;
  const StandingClock clock(manifest.created_at);
  HOLDFAST_RETURN_IF_ERROR(place.Clear());
  auto took = [&]() -> Result<std::chrono::microseconds> {
    HOLDFAST_ASSIGN_OR_RETURN(const auto scratch, place.Open(limits, clock));
    return RestoreAndCompare(chain, target, *scratch, clock, threads, work);
  }();
  if (Status cleared = place.Clear(); !cleared.ok()) {
    log::Warn("what a drill has restored stays until the next one",
              {{"backup", manifest.id}, {"error", cleared.error().ToString()}});
  }
  return took;
}

}  // namespace holdfast::backup
