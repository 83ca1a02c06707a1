#include "service/durability/store_stream.h"

#include "service/durability/content.h"

namespace holdfast::durability {

Result<CheckpointSummary> WriteStore(storage::Backend& backend, const std::string& store, ByteSink sink,
                                     const WriterOptions& options, Deadline deadline, CheckpointHeader* header) {
  const std::string prefix = store + '\0';
  HOLDFAST_ASSIGN_OR_RETURN(const auto snapshot, backend.OpenSnapshot(storage::KeyRange::Prefix(prefix), deadline));
  header->store = store;
  header->backend = backend.kind();
  header->consistency = snapshot->consistency();
  CheckpointWriter writer(std::move(sink), options);
  HOLDFAST_RETURN_IF_ERROR(writer.Begin(*header));
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto entries, snapshot->Next(deadline));
    if (entries.empty()) return writer.Finish();
    for (const storage::KeyedEntry& item : entries) {
      const std::string_view key = std::string_view(item.key).substr(prefix.size());
      if (PartOf(key) != Part::kNone) HOLDFAST_RETURN_IF_ERROR(writer.Add(key, *item.entry));
    }
  }
}

}  // namespace holdfast::durability
