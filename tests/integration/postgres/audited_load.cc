#include "tests/integration/postgres/audited_load.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

const std::string kStore = "/v1/stores/main";
constexpr std::chrono::seconds kPatience{60};
constexpr int kWriters = 4;
// A client that is refused tries again at once, but not as fast as it can.
constexpr std::chrono::milliseconds kPause{10};

http::ClientOptions OptionsFor(const std::string& base_url) {
  http::HttpClient::SetThreads(16);
  http::ClientOptions options;
  options.base_url = base_url;
  return options;
}

Told OutcomeOfCode(const std::string& code, const std::string& whole, WriteHistory& history) {
  if (code == "outcome_unknown") return Told::kUnknown;
  if (code != "unavailable" && code != "deadline_exceeded" && code != "conflict") {
    history.RecordStrange(fmt::format("strange answer: {}", whole));
  }
  return Told::kRefused;
}

}  // namespace

Told OutcomeOf(const http::ClientResponse& response, WriteHistory& history) {
  if (response.status / 100 == 2) return Told::kAcknowledged;
  history.RecordTrouble(fmt::format("{} {}", response.status, response.body));
  const auto problem = nlohmann::json::parse(response.body, nullptr, false);
  return OutcomeOfCode(problem.is_object() ? problem.value("code", "") : "", response.body, history);
}

AuditedLoad::AuditedLoad(std::uint16_t port) : AuditedLoad(fmt::format("http://127.0.0.1:{}", port)) {}

AuditedLoad::AuditedLoad(const std::string& base_url, std::chrono::seconds timeout)
    : timeout_(fmt::format("{}s", timeout.count())), client_(OptionsFor(base_url)) {
  for (int writer = 0; writer < kWriters; ++writer) {
    threads_.emplace_back([this, writer] { Write(writer); });
  }
}

void AuditedLoad::Stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool AuditedLoad::AwaitAcknowledged(std::uint64_t more) const {
  const std::uint64_t goal = history_.counts().acknowledged + more;
  return Eventually([&] { return history_.counts().acknowledged >= goal; });
}

bool AuditedLoad::AwaitUnknown(std::uint64_t in_all) const {
  return Eventually([&] { return history_.counts().unknown >= in_all; });
}

http::ClientResponse AuditedLoad::Send(const std::string& method, const std::string& target, const std::string& body) {
  http::ClientRequest request{method, kStore + target, {{"Holdfast-Timeout", timeout_}}, body};
  if (method == "POST") request.headers.emplace("Content-Type", "application/json");
  const Deadline deadline = Deadline::After(kPatience);
  auto response = client_.Send(request, deadline);
  // Nothing was sent: its connection had been closed at rest, as a service that is shut down does.
  while (!response.ok() && response.error().code() == ErrorCode::kUnavailable && !deadline.Expired()) {
    std::this_thread::sleep_for(kPause);
    response = client_.Send(request, deadline);
  }
  if (response.ok()) return std::move(response).value();
  history_.RecordStrange(fmt::format("no answer: {}", response.error().ToString()));
  return {503, {}, R"({"code":"outcome_unknown"})"};
}

void AuditedLoad::Write(int writer) {
  for (int round = 0; !stopping_; ++round) {
    const std::string name = fmt::format("w{}/{}", writer, round);
    const std::uint64_t before = history_.counts().refused;
    switch (round % 4) {
      case 0:
        PutOne(name);
        break;
      case 1:
        Increment();
        break;
      case 2:
        Batch(name);
        break;
      default:
        Transact(name);
    }
    if (history_.counts().refused != before) std::this_thread::sleep_for(kPause);
  }
}

void AuditedLoad::PutOne(const std::string& name) {
  const http::ClientResponse response = Send("PUT", "/keys/" + name, name);
  history_.RecordWrite({{name, name}}, OutcomeOf(response, history_));
}

void AuditedLoad::Increment() {
  const http::ClientResponse response = Send("POST", "/keys/n?action=increment", R"({"by":1})");
  history_.RecordIncrement("n", OutcomeOf(response, history_));
}

void AuditedLoad::Batch(const std::string& name) {
  // Each operation of a batch has an outcome of its own.
  const std::string first = name + "/1";
  const std::string second = name + "/2";
  const http::ClientResponse response =
      Send("POST", "/batch",
           fmt::format(R"({{"operations":[{{"op":"put","key":"{0}","value":"{0}"}},{{"op":"put","key":"{1}","value":)"
                       R"("{1}"}}]}})",
                       first, second));
  const Told whole = OutcomeOf(response, history_);
  const auto answer = nlohmann::json::parse(response.body, nullptr, false);
  std::size_t place = 0;
  for (const std::string& key : {first, second}) {
    Told told = whole;
    if (whole == Told::kAcknowledged) {
      const nlohmann::json& result = answer.at("results").at(place++);
      if (result.at("status").get<int>() / 100 != 2) {
        told = OutcomeOfCode(result.at("error").value("code", ""), result.dump(), history_);
      }
    }
    history_.RecordWrite({{key, key}}, told);
  }
}

void AuditedLoad::Transact(const std::string& name) {
  // The braces keep the two together where a store is spread over a Redis Cluster.
  const std::string first = fmt::format("{{{}}}/1", name);
  const std::string second = fmt::format("{{{}}}/2", name);
  const http::ClientResponse response =
      Send("POST", "/transaction",
           fmt::format(R"({{"if":[{{"key":"{0}","exists":false}}],"then":[{{"op":"put","key":"{0}","value":"{0}"}},)"
                       R"({{"op":"put","key":"{1}","value":"{1}"}}]}})",
                       first, second));
  history_.RecordWrite({{first, first}, {second, second}}, OutcomeOf(response, history_));
}

}  // namespace holdfast
