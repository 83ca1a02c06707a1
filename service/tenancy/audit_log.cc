#include "service/tenancy/audit_log.h"

#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time/duration.h"

namespace holdfast::tenancy {
namespace {

std::string Base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

bool Matches(const AuditRecord& record, const AuditQuery& query) {
  return record.name_space == query.name_space && (!query.since || record.time >= *query.since) &&
         (!query.key || record.key == *query.key) && (!query.actor || record.actor == *query.actor);
}

}  // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::Open(const AuditOptions& options, metrics::Registry& registry,
                                                 const Clock& clock) {
  std::unique_ptr<AuditLog> log(new AuditLog(options, clock));
  if (!options.on) return log;
  log->records_total_ = &registry.GetCounter("holdfast_audit_records_total", "Changes written to the audit log.");
  metrics::Counter& lost =
      registry.GetCounter("holdfast_audit_lost_total", "Audit records that could not be written to the file.");
  if (!options.file.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(log->file_, AuditFile::Open(options.file, lost));
  }
  return log;
}

void AuditLog::Add(AuditRecord record) {
  if (!on()) return;
  records_total_->Increment();
  const std::lock_guard lock(mutex_);
  record.id = ++last_id_;
  // Time does not run backwards within the log, so that `since` and the order agree.
  record.time = records_.empty() ? clock_.Now() : std::max(clock_.Now(), records_.back().time);
  // Under the lock, so that lines stand in the order of their ids.
  if (file_ != nullptr) file_->Append(ToJsonLine(record));
  records_.push_back(std::move(record));
  while (records_.size() > options_.max_entries) records_.pop_front();
}

AuditPage AuditLog::Find(const AuditQuery& query) const {
  AuditPage page;
  page.last = query.after;
  const std::lock_guard lock(mutex_);
  if (records_.empty()) return page;
  const std::uint64_t first = records_.front().id;
  std::size_t i = query.after >= first ? static_cast<std::size_t>(query.after - first + 1) : 0;
  for (; i < records_.size(); ++i) {
    if (!Matches(records_[i], query)) continue;
    if (page.records.size() == query.limit) {
      page.complete = false;
      return page;
    }
    page.records.push_back(records_[i]);
    page.last = records_[i].id;
  }
  return page;
}

std::string ToJsonLine(const AuditRecord& record) {
  nlohmann::ordered_json line;
  line["id"] = record.id;
  line["time"] = FormatTimestamp(record.time);
  line["actor"] = record.actor;
  line["from"] = record.from;
  line["namespace"] = record.name_space;
  if (!record.store.empty()) line["store"] = record.store;
  line["operation"] = record.operation;
  line["key"] = record.key;
  if (record.version != 0) line["etag"] = std::to_string(record.version);
  if (record.value) {
    std::string digest = "sha256:";
    digest.append(ToHex(*record.value));
    line["value"] = std::move(digest);
  }
  line["trace_id"] = record.trace_id;
  try {
    return line.dump();
  } catch (const nlohmann::json::exception&) {  // the key is no UTF-8; nothing else comes from outside unchecked
    line["key"] = Base64(record.key);
    line["encoding"] = "base64";
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }
}

}  // namespace holdfast::tenancy
