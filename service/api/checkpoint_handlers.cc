// The checkpoints of a store. They hold every namespace, so their callers need `admin` in all of them.
#include <fmt/format.h>

#include "base/time/duration.h"
#include "service/api/authorise.h"
#include "service/api/encoding.h"
#include "service/api/handlers.h"
#include "service/api/id_body.h"
#include "service/api/operation_json.h"
#include "service/api/paged_stream.h"
#include "service/api/submit.h"
#include "service/json/json_writer.h"
#include "service/storage/store.h"

namespace holdfast::api {
namespace {

using storage::CheckpointInfo;
using storage::StoreCheckpoints;

constexpr int kUnprocessable = 422;

void WriteInfo(const CheckpointInfo& info, json::JsonWriter* json) {
  json->BeginObject().Key("id").String(info.id);
  if (!info.damage.empty()) {
    json->Key("damaged").String(IsValidUtf8(info.damage) ? info.damage : Base64Encode(info.damage));
    json->Key("validated").Bool(false).EndObject();
    return;
  }
  json->Key("created_at").String(FormatTimestamp(info.created_at));
  json->Key("entry_count").Unsigned(info.entries).Key("entry_bytes").Unsigned(info.entry_bytes);
  json->Key("size_bytes").Unsigned(info.size_bytes).Key("checksum").String(info.checksum);
  json->Key("format_version").Unsigned(info.format_version);
  json->Key("reason").String(info.reason).Key("consistency").String(storage::ConsistencyName(info.consistency));
  json->Key("backend").String(info.backend);
  json->Key("validated").Bool(info.validated_at.has_value());
  if (info.validated_at) json->Key("validated_at").String(FormatTimestamp(*info.validated_at));
  json->EndObject();
}

void SendInfo(Exchange& exchange, int status, const CheckpointInfo& info) {
  json::JsonWriter json;
  WriteInfo(info, &json);
  exchange.SendJson(status, json.Take());
}

// What is wrong with a checkpoint is not what is wrong with the service.
void Refuse(Exchange& exchange, const Error& error) {
  Problem problem = Problem::Of(error);
  if (error.code() == ErrorCode::kCorruption) problem.status = kUnprocessable;
  exchange.Fail(problem);
}

// nullptr when it was answered: there are none, or they are not for the caller.
StoreCheckpoints* CheckpointsOf(Exchange& exchange) {
  if (auto refused = CheckWholeStore(exchange, tenancy::Verb::kAdmin)) {
    exchange.Fail(*refused);
    return nullptr;
  }
  StoreCheckpoints* const checkpoints = exchange.store().checkpoints.get();
  if (checkpoints == nullptr) exchange.Fail("not_supported", "this service keeps no checkpoints");
  return checkpoints;
}

// On the thread of the store's checkpoints, behind those that wait there.
void RunInTurn(ExchangePtr exchange, StoreCheckpoints& checkpoints, std::function<void(Exchange& exchange)> work) {
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  const bool queued = checkpoints.Run([shared, work = std::move(work)] {
    if (shared->deadline().Expired()) {
      return shared->Fail("deadline_exceeded", "the deadline passed behind other checkpoints; nothing was attempted");
    }
    work(*shared);
  });
  if (!queued) shared->FailBusy();
}

void SendReport(Exchange& exchange, const Result<storage::RestoreReport>& report) {
  if (!report.ok()) return Refuse(exchange, report.error());
  json::JsonWriter json;
  json.BeginObject().Key("restored").Unsigned(report->restored).Key("undo").String(report->undo);
  json.Key("written").Unsigned(report->written).Key("deleted").Unsigned(report->deleted);
  json.Key("expired").Unsigned(report->expired).EndObject();
  exchange.SendJson(200, json.Take());
}

void Validate(Exchange& exchange, StoreCheckpoints& checkpoints) {
  const auto info = checkpoints.Validate(exchange.key(), exchange.deadline());
  if (!info.ok()) return Refuse(exchange, info.error());
  json::JsonWriter json;
  json.BeginObject().Key("valid").Bool(true).Key("entry_count").Unsigned(info->entries);
  json.Key("checksum").String(info->checksum).EndObject();
  exchange.SendJson(200, json.Take());
}

// Of the store as it is, for whoever keeps it elsewhere.
class SnapshotStream final : public PagedStream {
 public:
  SnapshotStream(const storage::Store& store, std::unique_ptr<storage::CheckpointStream> bytes)
      : PagedStream(store, "a snapshot"), bytes_(std::move(bytes)) {}

 private:
  Result<bool> ReadPage(std::string* page) override { return bytes_->Next(page); }

  const std::unique_ptr<storage::CheckpointStream> bytes_;
};

// The body of a request, as far as the limit on its length.
class SentCheckpoint {
 public:
  explicit SentCheckpoint(Exchange& exchange)
      : body_(exchange.request().incoming), limit_(exchange.context().options.max_snapshot_bytes) {}

  Result<std::size_t> Read(char* into, std::size_t size) {
    auto read = body_->Read(into, size);
    if (!read.ok()) return read;
    bytes_ += *read;
    if (bytes_ > limit_) return Error(ErrorCode::kInvalidArgument, "it is longer than it may be");
    return read;
  }
  std::optional<Problem> refused() const {
    if (bytes_ <= limit_) return std::nullopt;
    Problem problem = Problem::Of(
        "too_large",
        fmt::format("the body is longer than the limit of {} bytes (setting limits.snapshot); nothing was changed",
                    limit_));
    problem.limit = limit_;
    return problem;
  }

 private:
  const std::shared_ptr<IncomingBody> body_;
  const std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

void ListCheckpoints(ExchangePtr exchange) {
  StoreCheckpoints* const checkpoints = CheckpointsOf(*exchange);
  if (checkpoints == nullptr) return;
  RunOnPool(std::move(exchange), [checkpoints](Exchange& running) {
    const auto all = checkpoints->List();
    if (!all.ok()) return running.Fail(all.error());
    json::JsonWriter json;
    json.BeginObject().Key("items").BeginArray();
    for (const CheckpointInfo& info : *all) WriteInfo(info, &json);
    json.EndArray().EndObject();
    running.SendJson(200, json.Take());
  });
}

void CreateCheckpoint(ExchangePtr exchange) {
  StoreCheckpoints* const checkpoints = CheckpointsOf(*exchange);
  if (checkpoints == nullptr) return;
  const auto id = TakeIdBody(*exchange);
  if (!id) return;
  RunInTurn(std::move(exchange), *checkpoints, [checkpoints, id = *id](Exchange& running) {
    const auto taken = checkpoints->Create(id, running.deadline());
    if (taken.ok()) return SendInfo(running, 201, *taken);
    // The one reason of this kind: it is too soon.
    if (taken.error().code() == ErrorCode::kFailedPrecondition) {
      return running.Fail("rate_limited", taken.error().message());
    }
    Refuse(running, taken.error());
  });
}

void GetCheckpoint(ExchangePtr exchange) {
  StoreCheckpoints* const checkpoints = CheckpointsOf(*exchange);
  if (checkpoints == nullptr) return;
  RunOnPool(std::move(exchange), [checkpoints](Exchange& running) {
    const auto info = checkpoints->Get(running.key());
    if (!info.ok()) return running.Fail(info.error());
    SendInfo(running, 200, *info);
  });
}

void DeleteCheckpoint(ExchangePtr exchange) {
  StoreCheckpoints* const checkpoints = CheckpointsOf(*exchange);
  if (checkpoints == nullptr) return;
  RunInTurn(std::move(exchange), *checkpoints, [checkpoints](Exchange& running) {
    const Status deleted = checkpoints->Delete(running.key(), running.deadline());
    if (!deleted.ok()) return running.Fail(deleted.error());
    Response response;
    response.status = 204;
    running.Send(std::move(response));
  });
}

void PostCheckpoint(ExchangePtr exchange) {
  StoreCheckpoints* const checkpoints = CheckpointsOf(*exchange);
  if (checkpoints == nullptr) return;
  const std::string* const action = exchange->query().Find("action");
  const bool restore = action != nullptr && *action == "restore";
  if (!restore && (action == nullptr || *action != "validate")) {
    return exchange->Fail("invalid_argument", "the query parameter \"action\" is none of validate and restore");
  }
  RunInTurn(std::move(exchange), *checkpoints, [checkpoints, restore](Exchange& running) {
    if (!restore) return Validate(running, *checkpoints);
    SendReport(running, checkpoints->Restore(running.key(), running.deadline()));
  });
}

void GetSnapshot(ExchangePtr exchange) {
  StoreCheckpoints* const checkpoints = CheckpointsOf(*exchange);
  if (checkpoints == nullptr) return;
  RunOnPool(std::move(exchange), [checkpoints](Exchange& running) {
    auto opened = checkpoints->Export(running.deadline());
    if (!opened.ok()) return running.Fail(opened.error());
    const auto stream = std::make_shared<SnapshotStream>(running.store(), std::move(opened).value());
    const Status first = stream->ReadFirst();
    if (!first.ok()) return running.Fail(first.error());
    Response response;
    response.content_type = storage::kDefaultContentType;
    response.stream = stream;
    running.Send(std::move(response));
  });
}

void PutSnapshot(ExchangePtr exchange) {
  StoreCheckpoints* const checkpoints = CheckpointsOf(*exchange);
  if (checkpoints == nullptr) return;
  if (exchange->request().incoming == nullptr) {
    return exchange->Fail("invalid_argument", "the body is empty; send what GET snapshot gave");
  }
  RunInTurn(std::move(exchange), *checkpoints, [checkpoints](Exchange& running) {
    SentCheckpoint sent(running);
    const auto report = checkpoints->RestoreFrom(
        [&sent](char* into, std::size_t size) { return sent.Read(into, size); }, running.deadline());
    if (const auto refused = sent.refused()) return running.Fail(*refused);
    SendReport(running, report);
  });
}

}  // namespace holdfast::api
