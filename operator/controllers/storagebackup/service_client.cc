#include "operator/controllers/storagebackup/service_client.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/custom_object.h"
#include "operator/service_access/call.h"

namespace holdfast::storagebackup {
namespace {

using api::NumberOf;
using api::TextOf;
using api::TimeOf;
using Json = nlohmann::json;
using service_access::DetailOf;

constexpr int kOk = 200;
constexpr int kAccepted = 202;
constexpr int kNotFound = 404;
constexpr int kTooManyRequests = 429;
constexpr int kUnavailable = 503;

std::string Path(const std::string& store, const std::string& rest) {
  return "/v1/stores/" + store + "/" + rest;
}

// `rest` with its query, if it has one.
std::string Path(const BackupsOf& backups, std::string rest) {
  if (!backups.source.empty()) {
    rest += rest.find('?') == std::string::npos ? '?' : '&';
    rest += "source=" + http::PercentEncode(backups.source);
  }
  return Path(backups.store, rest);
}

Error MakesNoSense() {
  return Error(ErrorCode::kCorruption, "the service's answer about backups makes no sense");
}

template <typename Answer>
Result<Answer> Read(const Endpoint& service, const std::string& target, Deadline deadline,
                    std::optional<Answer> (*parse)(const std::string&)) {
  HOLDFAST_ASSIGN_OR_RETURN(const http::ClientResponse response,
                            service_access::Call(service, {"GET", target, {}, {}}, deadline));
  if (response.status == kNotFound) return Error(ErrorCode::kNotFound, DetailOf(response));
  if (response.status != kOk) return Error(ErrorCode::kUnavailable, DetailOf(response));
  std::optional<Answer> answer = parse(response.body);
  if (!answer) return MakesNoSense();
  return *std::move(answer);
}

http::ClientRequest RequestOf(const BackupsOf& backups, Wish wish, const std::string& id) {
  const auto one = [&](const char* query) -> http::ClientRequest {
    return {"POST", Path(backups, "backups/" + id + query), {}, {}};
  };
  switch (wish) {
    case Wish::kVerify:
      return one("?action=verify");
    case Wish::kDrill:
      return one("?action=drill");
    case Wish::kRestore:
      return one("?action=restore");
    case Wish::kFull:
    case Wish::kIncremental:
      break;
  }
  return {"POST",
          Path(backups, wish == Wish::kFull ? "backups?kind=full" : "backups?kind=incremental"),
          {{"Content-Type", "application/json"}},
          Json({{"id", id}}).dump()};
}

// What a POST has begun.
Result<Run> Begin(const Endpoint& service, const http::ClientRequest& request, Deadline deadline) {
  auto response = service_access::Call(service, request, deadline);
  if (!response.ok()) {
    const ErrorCode code = response.error().code();
    // Of these the client says that nothing that could have taken effect was sent.
    const bool unsent = code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ||
                        code == ErrorCode::kCancelled || code == ErrorCode::kInvalidArgument;
    return Error(unsent ? ErrorCode::kUnavailable : ErrorCode::kOutcomeUnknown, response.error().message());
  }
  if (response->status == kTooManyRequests || response->status == kUnavailable) {
    return Error(ErrorCode::kUnavailable, DetailOf(*response));
  }
  if (service_access::IsRefusal(response->status)) return Error(ErrorCode::kFailedPrecondition, DetailOf(*response));
  if (response->status != kAccepted) return Error(ErrorCode::kOutcomeUnknown, DetailOf(*response));
  std::optional<Run> run = ParseRun(response->body);
  if (!run) return Error(ErrorCode::kOutcomeUnknown, MakesNoSense().message());
  return *std::move(run);
}

class HttpServiceClient : public ServiceClient {
 public:
  Result<Item> FindItem(const Endpoint& service, const BackupsOf& backups, const std::string& id,
                        Deadline deadline) override {
    return Read<Item>(service, Path(backups, "backups/" + id), deadline, ParseItem);
  }

  Result<Run> FindRun(const Endpoint& service, const std::string& store, const std::string& run,
                      Deadline deadline) override {
    return Read<Run>(service, Path(store, "backup-runs/" + http::PercentEncode(run)), deadline, ParseRun);
  }

  Result<Run> Ask(const Endpoint& service, const BackupsOf& backups, Wish wish, const std::string& id,
                  Deadline deadline) override {
    return Begin(service, RequestOf(backups, wish, id), deadline);
  }

  Result<Restorable> FindRestorable(const Endpoint& service, const BackupsOf& backups, Deadline deadline) override {
    return Read<Restorable>(service, Path(backups, "backups"), deadline, ParseRestorable);
  }

  Result<Run> RestoreTo(const Endpoint& service, const BackupsOf& backups, Timestamp to, Deadline deadline) override {
    const std::string time = http::PercentEncode(FormatTimestamp(to));
    return Begin(service, {"POST", Path(backups, "backups?action=restore&to_time=" + time), {}, {}}, deadline);
  }
};

}  // namespace

std::string ProgressOf(const Run& run) {
  if (run.state == "waiting") return "another run of the store comes first";
  if (run.step.empty()) return "the service is at it";
  std::string text = "the service is at its step " + run.step;
  if (run.total_bytes <= 0) return text;
  const std::int64_t tenths =
      std::clamp<std::int64_t>(run.done_bytes / std::max<std::int64_t>(run.total_bytes / 10, 1), 0, 10);
  return text + ", " + std::to_string(tenths * 10) + " %";
}

std::string WhyFailed(const Run& run) {
  return run.detail.empty() ? run.problem : run.detail;
}

std::shared_ptr<ServiceClient> MakeServiceClient() {
  return std::make_shared<HttpServiceClient>();
}

std::optional<Item> ParseItem(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  const auto verified = document.is_object() ? document.find("verified") : document.end();
  const std::string id = TextOf(document, "id");
  if (id.empty() || verified == document.end() || !verified->is_boolean()) return std::nullopt;
  Item item{.id = id,
            .damage = TextOf(document, "damaged"),
            .parent = TextOf(document, "parent"),
            .entries = NumberOf(document, "entry_count"),
            .bytes = NumberOf(document, "size_bytes"),
            .verified = verified->get<bool>(),
            .created = TimeOf(document, "created_at"),
            .verified_at = TimeOf(document, "verified_at")};
  const auto drill = document.find("drill");
  if (drill != document.end() && drill->is_object()) {
    const auto succeeded = drill->find("succeeded");
    item.drill = Drill{.succeeded = succeeded != drill->end() && succeeded->is_boolean() && succeeded->get<bool>(),
                       .code = TextOf(*drill, "code"),
                       .at = TimeOf(*drill, "at")};
  }
  return item;
}

std::optional<Restorable> ParseRestorable(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  if (!document.is_object() || !document.value("items", Json()).is_array()) return std::nullopt;
  const auto window = document.find("restorable");
  if (window == document.end()) return Restorable{};
  const std::optional<Timestamp> earliest = TimeOf(*window, "earliest");
  const std::optional<Timestamp> latest = TimeOf(*window, "latest");
  if (!earliest || !latest) return std::nullopt;
  return Restorable{.any = true, .earliest = *earliest, .latest = *latest};
}

std::optional<Run> ParseRun(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  Run run{.id = TextOf(document, "run"), .action = TextOf(document, "action"), .state = TextOf(document, "state")};
  const bool known = run.active() || run.failed() || run.succeeded();
  if (run.id.empty() || run.action.empty() || !known) return std::nullopt;
  run.backup = TextOf(document, "backup");
  run.step = TextOf(document, "step");
  run.done_bytes = NumberOf(document, "bytes");
  run.total_bytes = NumberOf(document, "total_bytes");
  const Json problem = document.value("problem", Json::object());
  run.problem = TextOf(problem, "code");
  run.detail = TextOf(problem, "detail");
  run.note = TextOf(document, "note");
  run.restored = NumberOf(document, "restored");
  run.written = NumberOf(document, "written");
  run.deleted = NumberOf(document, "deleted");
  run.expired = NumberOf(document, "expired");
  run.undo = TextOf(document, "undo");
  return run;
}

}  // namespace holdfast::storagebackup
