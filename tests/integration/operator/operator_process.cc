#include "tests/integration/operator/operator_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/http/http_client.h"
#include "operator/api/v1/crd.h"

namespace holdfast {
namespace {

constexpr std::chrono::seconds kLongest{60};

std::filesystem::path TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-operator-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  return pattern;
}

std::string FileText(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<local::Process> Start(std::vector<std::string> arguments, const std::filesystem::path& folder,
                                      const std::filesystem::path& output) {
  arguments.insert(arguments.begin(), HOLDFAST_OPERATOR);
  const int descriptor = open(output.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  auto started = local::Process::Start({std::move(arguments), {"PATH=/usr/bin:/bin"}, folder, descriptor});
  close(descriptor);
  if (!started.ok()) std::abort();
  return std::make_unique<local::Process>(std::move(started).value());
}

}  // namespace

ApiDouble::ApiDouble() {
  if (!server_.Listen().ok()) std::abort();
  for (const nlohmann::json& definition : api::Definitions()) {
    Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
  }
  Call("POST", "/api/v1/namespaces", {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "prod"}}}});
}

nlohmann::json ApiDouble::Call(const std::string& method, const std::string& target, const nlohmann::json& body,
                               const std::string& content_type) {
  const local::ApiServer::Reply reply = server_.Call(method, target, body, content_type);
  if (!reply.ok()) {
    fprintf(stderr, "%s %s: %s\n", method.c_str(), target.c_str(), reply.body.dump().c_str());
    std::abort();
  }
  return reply.body;
}

void ApiDouble::CreateCluster(const std::string& ns, const std::string& name) {
  Call("POST", "/apis/storage.holdfast.dev/v1/namespaces/" + ns + "/storageclusters",
       {{"apiVersion", "storage.holdfast.dev/v1"},
        {"kind", "StorageCluster"},
        {"metadata", {{"name", name}}},
        {"spec", nlohmann::json::parse(R"({"backends": [{"name": "fast", "memory": {}},
                                                        {"name": "local", "embedded": {"storage": {"size": "1Gi"}}}],
                                           "stores": [{"name": "main", "backend": "fast"}]})")}});
}

ProgramResult RunOperatorProgram(const std::vector<std::string>& arguments) {
  const std::filesystem::path folder = TemporaryFolder();
  const auto process = Start(arguments, folder, folder / "output");
  const auto end = std::chrono::steady_clock::now() + kLongest;
  ProgramResult result;
  while (std::chrono::steady_clock::now() < end) {
    if (const auto exit = process->Poll()) {
      result.status = exit->code;
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  result.output = FileText(folder / "output");
  std::filesystem::remove_all(folder);
  return result;
}

OperatorProcess::OperatorProcess(const std::string& api_url, const std::vector<std::string>& more)
    : folder_(TemporaryFolder()) {
  std::vector<std::string> arguments{"run", "--server=" + api_url, "--admin-address=127.0.0.1",
                                     "--admin-port=" + std::to_string(admin_port_.number())};
  arguments.insert(arguments.end(), more.begin(), more.end());
  process_ = Start(std::move(arguments), folder_, folder_ / "output");
}

OperatorProcess::~OperatorProcess() {
  process_.reset();
  std::filesystem::remove_all(folder_);
}

std::string OperatorProcess::Admin(const std::string& path) const {
  http::ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(admin_port_.number());
  http::ClientRequest request;
  request.target = path;
  auto response = http::HttpClient(options).Send(request, Deadline::After(std::chrono::seconds{5}));
  return response.ok() && response->status == 200 ? std::move(response->body) : std::string();
}

std::string OperatorProcess::Log() const {
  return FileText(folder_ / "output");
}

}  // namespace holdfast
