// The whole program, `holdfast-operator local`, started as a person would with a folder and an address of its own.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/http/http_client.h"
#include "operator/local/process_runner/process.h"
#include "tests/loopback/reservation.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {

using nlohmann::json;

// What can be had of it: a process may end while its files are read.
inline std::string FileText(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class LocalCommandTest : public testing::Test {
 protected:
  LocalCommandTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-local-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
  }
  ~LocalCommandTest() override {
    program_.reset();
    std::filesystem::remove_all(folder_);
  }

  // `more`: further lines of the spec.
  std::string ManifestOf(const std::string& spec) const {
    std::filesystem::path path = folder_ / "manifest.yaml";
    std::ofstream(path) << "apiVersion: storage.holdfast.dev/v1\nkind: StorageCluster\nmetadata: {name: demo}\nspec:\n"
                        << spec;
    return path.string();
  }
  std::string Manifest(const std::string& backend, const std::string& more = "") const {
    return ManifestOf("  backends: [{name: local, " + backend +
                      "}]\n"
                      "  stores: [{name: main, backend: local}]\n  defaultStore: main\n" +
                      more);
  }
  static constexpr const char* kEmbedded = "embedded: {storage: {size: 1Gi}}";

  void Start(const std::string& manifest, const std::vector<std::string>& more = {}) {
    program_.reset();
    std::ofstream(output(), std::ios::trunc).flush();
    int descriptor = open(output().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    std::vector<std::string> arguments{HOLDFAST_OPERATOR, "local",     "-f",     manifest,     "--root",
                                       root().string(),   "--address", address_, "--api-port", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto started = Process::Start({std::move(arguments), {"PATH=/usr/bin:/bin"}, folder_, descriptor});
    close(descriptor);
    ASSERT_TRUE(started.ok()) << started.error().message();
    program_ = std::make_unique<Process>(std::move(started).value());
  }
  int ExitStatus() {
    std::optional<ProcessExit> exit;
    EXPECT_TRUE(Eventually([&] { return (exit = program_->Poll()).has_value(); })) << FileText(output());
    return exit ? exit->code : -1;
  }
  // The line that tells an event; null until it is there.
  json Event(const std::string& event) const {
    std::istringstream lines(FileText(output()));
    for (std::string line; std::getline(lines, line);) {
      json parsed = json::parse(line, nullptr, false);
      if (parsed.is_object() && parsed.value("event", "") == event) return parsed;
    }
    return nullptr;
  }
  void WaitUntilRunning(std::chrono::seconds patience = std::chrono::seconds(60)) {
    ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, patience));
    ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  }

  http::ClientResponse Ask(const std::string& base, const std::string& method, const std::string& target,
                           const std::string& body = "") const {
    http::ClientOptions options;
    options.base_url = base;
    http::HttpClient client(options);
    http::ClientRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    auto response = client.Send(request, Deadline::After(std::chrono::seconds(20)));
    return response.ok() ? std::move(response).value() : http::ClientResponse();
  }
  // A merge patch of the object at `target` of the API server.
  void Patch(const std::string& target, const json& patch) const {
    http::ClientOptions options;
    options.base_url = Event("api")["server"];
    http::HttpClient client(options);
    const auto answer = client.Send({"PATCH", target, {{"Content-Type", "application/merge-patch+json"}}, patch.dump()},
                                    Deadline::After(std::chrono::seconds(20)));
    ASSERT_TRUE(answer.ok()) << answer.error().message();
    ASSERT_EQ(answer->status, 200) << answer->body;
  }
  http::ClientResponse Store(const std::string& method, const std::string& body = "") const {
    return Ask(Event("running")["url"], method, "/v1/stores/_default/keys/greeting", body);
  }
  json Kubernetes(const std::string& target) const {
    return json::parse(Ask(Event("api")["server"], "GET", target).body, nullptr, false);
  }
  pid_t ServicePid() const {
    json pod = Kubernetes("/api/v1/namespaces/default/pods/demo-0");
    json::json_pointer id("/status/containerStatuses/0/containerID");
    if (!pod.is_object() || !pod.contains(id)) return 0;
    return std::stoi(pod[id].get<std::string>().substr(std::string("process://").size()));
  }
  static bool Runs(pid_t pid) {
    std::string state = FileText("/proc/" + std::to_string(pid) + "/stat");
    return !state.empty() && state.find(") Z") == std::string::npos;
  }

  // Of a claim; empty when there is none.
  std::filesystem::path FolderOf(const std::string& claim) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root())) {
      if (entry.is_directory() && entry.path().filename() == claim) return entry.path();
    }
    return {};
  }

  std::filesystem::path root() const { return folder_ / "root"; }
  std::filesystem::path output() const { return folder_ / "output"; }

  std::filesystem::path folder_;
  // Of this test's own, because the service's ports are fixed.
  const loopback::ReservedAddress reserved_{{8080, 9090, 8088, 9099}};
  const std::string address_ = reserved_.text();
  std::unique_ptr<Process> program_;
};

}  // namespace holdfast::local
