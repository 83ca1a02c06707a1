// `local` as a person meets it: the whole program with the real operator and the real service as its children.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/http/http_client.h"
#include "base/http/http_listener.h"
#include "operator/local/process_runner/process.h"
#include "operator/local/process_runner/tcp_connect.h"

namespace holdfast::local {
namespace {

using nlohmann::json;
using testing::HasSubstr;

bool Eventually(const std::function<bool()>& holds) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::string FileText(const std::filesystem::path& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

class LocalCommandTest : public testing::Test {
 protected:
  LocalCommandTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-local-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    // An address of this test's own, because the service's ports are fixed.
    for (int last = getpid() % 250; address_.empty(); last = (last + 1) % 250) {
      std::string candidate = "127.0.9." + std::to_string(last + 1);
      if (CheckPortFree(candidate, 8080).ok() && CheckPortFree(candidate, 9090).ok()) address_ = candidate;
    }
  }
  ~LocalCommandTest() override {
    program_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Manifest(const std::string& backend) {
    std::filesystem::path path = folder_ / "manifest.yaml";
    std::ofstream(path) << "apiVersion: storage.holdfast.dev/v1\nkind: StorageCluster\nmetadata: {name: demo}\nspec:\n"
                        << "  backends: [{name: local, " << backend << "}]\n"
                        << "  stores: [{name: main, backend: local}]\n  defaultStore: main\n";
    return path.string();
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
  void WaitUntilRunning() {
    ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }));
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
    auto response = client.Send(request, Deadline::After(std::chrono::seconds(5)));
    return response.ok() ? std::move(response).value() : http::ClientResponse();
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

  std::filesystem::path root() const { return folder_ / "root"; }
  std::filesystem::path output() const { return folder_ / "output"; }

  std::filesystem::path folder_;
  std::string address_;
  std::unique_ptr<Process> program_;
};

TEST_F(LocalCommandTest, rocksdb_ServesAndKeepsDataOverKillsAndRestarts) {
  Start(Manifest(kEmbedded));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  EXPECT_EQ(Store("PUT", "hello").status, 201);
  EXPECT_EQ(Store("GET").body, "hello");

  pid_t first = ServicePid();
  ASSERT_TRUE(Runs(first));
  kill(first, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return Store("GET").body == "hello"; }));
  pid_t second = ServicePid();
  EXPECT_NE(second, first);

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
  EXPECT_FALSE(Runs(second));

  Start(Manifest(kEmbedded));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  EXPECT_EQ(Store("GET").body, "hello");
  program_->Signal(SIGINT);
  EXPECT_EQ(ExitStatus(), 0);
}

TEST_F(LocalCommandTest, memory_WritesNothingAtRest) {
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  auto revision = [&] { return Kubernetes("/api/v1/namespaces").at("/metadata/resourceVersion"_json_pointer); };
  json before = revision();
  // What is still under way when it says it is ready may end; then it must be still.
  ASSERT_TRUE(Eventually([&] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    json now = revision();
    return std::exchange(before, now) == now;
  }));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(revision(), before);
}

TEST_F(LocalCommandTest, memory_TheServiceDiesWithAKilledLocal) {
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  pid_t service = ServicePid();
  ASSERT_TRUE(Runs(service));
  kill(program_->pid(), SIGKILL);
  ExitStatus();
  EXPECT_TRUE(Eventually([&] { return !Runs(service); }));
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
}

TEST_F(LocalCommandTest, ABadManifestIsOneLineAndStartsNothing) {
  Start(Manifest("teapot: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  std::string text = FileText(output());
  EXPECT_THAT(text, HasSubstr("holdfast-operator local: " + (folder_ / "manifest.yaml").string() + ": "));
  EXPECT_THAT(text, HasSubstr("teapot"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_FALSE(std::filesystem::exists(root()));

  Start((folder_ / "missing.yaml").string());
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr("cannot read " + (folder_ / "missing.yaml").string()));
}

TEST_F(LocalCommandTest, ATakenPortIsNamedBeforeAnythingStarts) {
  http::ListenerOptions options;
  options.address = address_;
  options.port = 9090;
  auto holder = http::HttpListener::Start(options, [](const http::ServerRequest&, http::ResponseWriter&) {});
  ASSERT_TRUE(holder.ok()) << holder.error().message();
  Start(Manifest("memory: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr(address_ + ":9090: Address already in use"));
}

TEST_F(LocalCommandTest, memory_ASecondOnTheSameFolderIsRefused) {
  Start(Manifest("memory: {}"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  std::unique_ptr<Process> running = std::move(program_);
  std::string holder = std::to_string(running->pid());
  Start(Manifest("memory: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr("is in use by another holdfast-operator local (process " + holder + ")"));
}

TEST_F(LocalCommandTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(root()) << "a file";
  Start(Manifest("memory: {}"));
  EXPECT_EQ(ExitStatus(), 2);
  EXPECT_THAT(FileText(output()), HasSubstr(root().string()));
}

TEST_F(LocalCommandTest, memory_OtherPortsAreTakenWhereTheUsualOnesAreNot) {
  http::ListenerOptions options;
  options.address = address_;
  options.port = 8080;
  auto holder = http::HttpListener::Start(options, [](const http::ServerRequest&, http::ResponseWriter&) {});
  ASSERT_TRUE(holder.ok()) << holder.error().message();
  Start(Manifest("memory: {}"), {"--data-port", "8088", "--admin-port", "9099"});
  ASSERT_NO_FATAL_FAILURE(WaitUntilRunning());
  EXPECT_EQ(Event("running")["url"], "http://" + address_ + ":8088");
  EXPECT_EQ(Store("PUT", "hello").status, 201);
  EXPECT_EQ(Ask("http://" + address_ + ":9099", "GET", "/readyz").status, 200);
}

TEST_F(LocalCommandTest, memory_NotReadyInTimeSaysWhyAndStopsEverything) {
  std::filesystem::create_directories(folder_ / "empty");
  Start(Manifest("memory: {}"), {"--ready-timeout", "2", "--programs", (folder_ / "empty").string()});
  EXPECT_EQ(ExitStatus(), 1);
  EXPECT_THAT(FileText(output()), HasSubstr("demo is not ready: "));
  EXPECT_THAT(FileText(output()), HasSubstr("pod demo-0: the program \"holdfast\" is not in "));
  EXPECT_FALSE(Event("stopped").is_null());
}

}  // namespace
}  // namespace holdfast::local
