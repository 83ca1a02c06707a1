#include "tests/integration/service/migration_writer.h"

#include <fmt/format.h>

#include <thread>

namespace holdfast {
namespace {

const std::string kKeys = "/v1/stores/main/keys/";

// While the service is away.
constexpr std::chrono::milliseconds kPause{5};

// What is refused has not been done: that is the service's word, and held against it.
bool MayBeDone(const Result<http::ClientResponse>& answer) {
  if (!answer.ok()) return answer.error().code() == ErrorCode::kOutcomeUnknown;
  return answer->status != 503;
}

}  // namespace

void MigrationWriter::Run(const std::atomic<std::uint16_t>& port, const std::atomic<bool>& stop) {
  std::unique_ptr<http::HttpClient> client;
  std::uint16_t connected = 0;
  for (; !stop; ++written_) {
    if (connected != port) {
      connected = port;
      http::ClientOptions options;
      options.base_url = fmt::format("http://127.0.0.1:{}", connected);
      client = std::make_unique<http::HttpClient>(options);
    }
    const std::string key = fmt::format("{}-{}", name_, written_ * 7 % keys_);
    const bool erase = written_ % 5 == 4;
    const std::string value = erase ? "" : fmt::format("v{}", written_);
    http::ClientRequest request;
    request.method = erase ? "DELETE" : "PUT";
    request.target = kKeys + key;
    request.body = value;
    const auto answer = client->Send(request, Deadline::After(std::chrono::seconds{10}));
    std::set<std::string>& may = may_hold_[key];
    if (answer.ok() && answer->status < 300) {
      may = {value};
      ++acknowledged_;
      continue;
    }
    if (may.empty()) may.insert("");
    if (MayBeDone(answer)) {
      may.insert(value);
      ++unknown_;
    } else {
      ++refused_;
      std::this_thread::sleep_for(kPause);
    }
  }
}

std::vector<std::string> MigrationWriter::Lost(Service& service) const {
  std::vector<std::string> lost;
  for (const auto& [key, may] : may_hold_) {
    const auto read = service.Send("GET", kKeys + key);
    const std::string value = read.status == 404 ? "" : read.body;
    if (!may.contains(value)) lost.push_back(fmt::format("{} holds '{}', may hold '{}'", key, value, *may.begin()));
  }
  return lost;
}

}  // namespace holdfast
