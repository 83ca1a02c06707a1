#include "tests/s3/s3_server.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/time/deadline.h"
#include "service/s3/caller.h"
#include "tests/unit/base/http/certificates.h"

namespace holdfast::s3_servers {
namespace {

using postgres_servers::Sandbox;
using postgres_servers::ServerProcess;
using postgres_servers::Tail;

constexpr const char* kPython = "/usr/bin/python3";  // Debian's: the package installs Swift for no other
constexpr std::chrono::seconds kStartTimeout{90};    // on a busy machine
constexpr std::chrono::milliseconds kPoll{10};

std::string Read(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

[[noreturn]] void GiveUp(const std::string& why) {
  static_cast<void>(std::fprintf(stderr, "%s\n", why.c_str()));
  std::abort();
}

std::unique_ptr<S3Server> StartOrGiveUp(const ServerOptions& options) {
  auto started = S3Server::Start(options);
  if (!started.ok()) GiveUp(started.error().ToString());
  return std::move(started).value();
}

}  // namespace

Result<std::unique_ptr<S3Server>> S3Server::Start(const ServerOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(auto sandbox, Sandbox::Make());
  std::unique_ptr<S3Server> server(new S3Server(std::move(sandbox)));
  server->WriteFiles(options);
  const std::filesystem::path& folder = server->sandbox_->folder();
  const std::vector<std::string> words{kPython, (folder / "swift_server.py").string(), folder.string()};
  HOLDFAST_ASSIGN_OR_RETURN(server->process_, ServerProcess::Start(*server->sandbox_, words, folder / "log"));
  HOLDFAST_RETURN_IF_ERROR(server->AwaitPort());
  return server;
}

S3Server::~S3Server() {
  Kill();
}

void S3Server::WriteFiles(const ServerOptions& options) {
  nlohmann::json settings = {{"users", {{kAccessKey, kSecretKey}}}, {"region", kRegion}};
  if (options.tls) {
    const http::Certificate authority = http::MakeAuthority("S3 of a test");
    const http::Certificate leaf = http::MakeLeaf(authority, "localhost", "IP:127.0.0.1,DNS:localhost");
    ca_pem_ = authority.pem();
    sandbox_->Write("ca.pem", ca_pem_);
    settings["certificate"] = sandbox_->Write("server.pem", leaf.pem()).string();
    settings["key"] = sandbox_->Write("server.key", leaf.key_pem()).string();
  }
  sandbox_->Write("settings.json", settings.dump());
  sandbox_->Write("access_key", std::string(kAccessKey) + '\n');
  sandbox_->Write("secret_key", std::string(kSecretKey) + '\n');
  // A copy: the account that it runs as need not be able to read the sources.
  sandbox_->Write("swift_server.py", Read(HOLDFAST_SWIFT_SERVER));
}

Status S3Server::AwaitPort() {
  const Deadline deadline = Deadline::After(kStartTimeout);
  while (true) {
    const std::string port = Read(sandbox_->folder() / "port");
    if (!port.empty()) {
      port_ = static_cast<std::uint16_t>(std::stoi(port));
      return {};
    }
    if (!process_->Running() || deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded,
                   fmt::format("Swift {} (Debian package python3-swift); its log ends: {}",
                               process_->Running() ? "is not ready in time" : "ended at its start",
                               Tail(sandbox_->folder() / "log")));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

std::string S3Server::url() const {
  return fmt::format("{}://127.0.0.1:{}", ca_pem_.empty() ? "http" : "https", port_);
}

s3::BucketOptions S3Server::Options(const std::string& bucket) const {
  s3::BucketOptions options;
  options.endpoint = url();
  options.bucket = bucket;
  options.region = kRegion;
  options.ca_pem = ca_pem_;
  options.access_key_file = access_key_file().string();
  options.secret_key_file = secret_key_file().string();
  options.backoff = {std::chrono::milliseconds{1}, std::chrono::milliseconds{5}, 1.0};
  return options;
}

s3::BucketOptions S3Server::MakeBucket(const std::string& bucket) const {
  s3::BucketOptions options = Options(bucket);
  s3::Caller caller(options);
  s3::Call call;
  call.method = "PUT";
  const Result<s3::Answer> made = caller.Send(call, Deadline::After(kStartTimeout));
  if (!made.ok()) {
    GiveUp(fmt::format("{}; the server's log ends: {}", made.error().ToString(), Tail(sandbox_->folder() / "log")));
  }
  if (made->refusal) GiveUp(caller.Refused(*made).ToString());
  return options;
}

S3Server& SharedServer() {
  static const std::unique_ptr<S3Server> server = StartOrGiveUp({});
  return *server;
}

S3Server& SharedTlsServer() {
  static const std::unique_ptr<S3Server> server = StartOrGiveUp({.tls = true});
  return *server;
}

}  // namespace holdfast::s3_servers
