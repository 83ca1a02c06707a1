#include "tests/integration/service/service_fixture.h"

#include <fmt/format.h>

namespace holdfast {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr char kFile[] = "holdfast.yaml";

std::string SettingsFor(const TemporaryFolder& folder, const std::string& backend, const std::string& settings) {
  const bool names_stores = settings.find("stores:") != std::string::npos;
  const bool names_backends = settings.starts_with("backends:") || settings.find("\nbackends:") != std::string::npos;
  return fmt::format(
      "listen: {{address: 127.0.0.1, port: 0, threads: 2}}\nadmin: {{address: 127.0.0.1, port: 0}}\n"
      "data_dir: {}\n{}{}{}",
      (folder.path() / "data").string(),
      names_backends ? "" : fmt::format("backends: {{local: {{type: {}}}}}\n", backend),
      names_stores ? "" : "stores: {main: {backend: local}}\n", settings);
}

// The ports of the line that says "serving".
std::optional<std::pair<std::uint16_t, std::uint16_t>> Ports(const std::string& log) {
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, false);
    if (entry.is_object() && entry.value("message", "") == "serving") {
      return std::pair(entry.at("port").get<std::uint16_t>(), entry.at("admin_port").get<std::uint16_t>());
    }
  }
  return std::nullopt;
}

std::unique_ptr<http::HttpClient> ClientFor(std::uint16_t port) {
  http::ClientOptions options;
  options.base_url = fmt::format("http://127.0.0.1:{}", port);
  return std::make_unique<http::HttpClient>(options);
}

http::ClientResponse SendThrough(http::HttpClient& client, const http::ClientRequest& request) {
  auto response = client.Send(request, Deadline::After(kPatience));
  if (response.ok()) return std::move(response).value();
  ADD_FAILURE() << request.method << " " << request.target << ": " << response.error().ToString();
  return {};
}

}  // namespace

void Service::WriteSettings(const TemporaryFolder& folder, const std::string& backend, const std::string& settings) {
  folder.Write(kFile, SettingsFor(folder, backend, settings));
}

std::unique_ptr<Process> Service::Launch(const TemporaryFolder& folder, const std::string& backend,
                                         const std::string& settings) {
  WriteSettings(folder, backend, settings);
  Process::Options options;
  options.words = {"serve", "--config", folder.path() / kFile};
  return std::make_unique<Process>(options);
}

Service::Service(std::unique_ptr<Process> process) : process_(std::move(process)) {
  const Deadline deadline = Deadline::After(kPatience);
  while (!deadline.Expired() && process_->Running()) {
    if (const auto ports = Ports(process_->Errors())) {
      std::tie(port_, admin_port_) = *ports;
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  if (port_ == 0) ADD_FAILURE() << "not serving: " << process_->Errors();
  client_ = ClientFor(port_);
  admin_ = ClientFor(admin_port_);
}

http::ClientResponse Service::Send(const std::string& method, const std::string& target, const http::Headers& headers,
                                   const std::string& body) {
  LoadOpenApi(headers);
  auto response = SendThrough(*client_, {method, target, headers, body});
  if (openapi_ != nullptr) {
    EXPECT_EQ(openapi_->Complaint(method, target, response), "") << method << " " << target;
  }
  return response;
}

void Service::LoadOpenApi(const http::Headers& headers) {
  if (openapi_ != nullptr) return;
  http::Headers own;
  if (const auto token = headers.find("Authorization"); token != headers.end()) own.insert(*token);
  const auto document = SendThrough(*client_, {"GET", "/v1/openapi.json", own, ""});
  if (document.status == 200) openapi_ = std::make_unique<OpenApiCheck>(nlohmann::json::parse(document.body));
}

http::ClientResponse Service::Admin(const std::string& path) {
  return SendThrough(*admin_, {"GET", path, {}, {}});
}

nlohmann::json Service::Json(const std::string& method, const std::string& target, const std::string& body) {
  http::Headers headers;
  if (!body.empty()) headers.emplace("Content-Type", "application/json");
  return nlohmann::json::parse(Send(method, target, headers, body).body, nullptr, false);
}

std::string Service::url() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

}  // namespace holdfast
