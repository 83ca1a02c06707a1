// Starting, stopping, and what is left behind.
#include <fmt/format.h>
#include <signal.h>

#include <atomic>

#include "tests/integration/service/raw_socket.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kKeys = "/v1/stores/main/keys";

class LifecycleTest : public ServiceTest {};
HOLDFAST_ON_BOTH_BACKENDS(LifecycleTest);

std::size_t Lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_P(LifecycleTest, StopsCleanlyOnEverySignal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Service service = Start();
    service.process().Signal(signal);
    EXPECT_EQ(service.process().Wait(), 0);
    EXPECT_THAT(service.process().Errors(), testing::HasSubstr("\"stopped\""));
  }
}

// A request that was begun is answered; meanwhile the service says it is not ready, and takes no new connection.
TEST_P(LifecycleTest, FinishesWhatWasBegun) {
  Service service = Start();
  const RawSocket socket(service.port());
  socket.Send(fmt::format("PUT {}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello", kKeys));
  // Known to be in progress once the server has counted the connection.
  ASSERT_TRUE(Eventually(
      [&] { return service.Admin("/metrics").body.find("holdfast_http_connections 1") != std::string::npos; }));
  service.process().Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] { return service.Admin("/readyz").status == 503; }));
  EXPECT_EQ(service.Admin("/livez").status, 200);
  socket.Send("world");
  EXPECT_THAT(socket.ReadUntil("\r\n\r\n"), testing::StartsWith("HTTP/1.1 201 "));
  EXPECT_EQ(service.process().Wait(), 0);
}

// Load balancers see /readyz fail while connections are still taken.
TEST_P(LifecycleTest, ReadinessGoesFirst) {
  Service service = Start("shutdown: {delay: 4s}\n");
  service.process().Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] { return service.Admin("/readyz").status == 503; }));
  EXPECT_EQ(service.Send("PUT", kKeys + "/late", {}, "1").status, 201);
  EXPECT_EQ(service.process().Wait(), 0);
}

// A connection that is closed at rest may be closed under a request that is on its way: so the busy ones are sent away
// before.
TEST_P(LifecycleTest, ClientsAreSentAwayWhileLoadBalancersNotice) {
  Service service = Start("shutdown: {delay: 60s}\n");
  const RawSocket socket(service.port());
  const std::string request = fmt::format("GET {}/none HTTP/1.1\r\nHost: x\r\n\r\n", kKeys);
  socket.Send(request);
  EXPECT_THAT(socket.ReadUntil("}"), Not(HasSubstr("Connection: close")));
  service.process().Signal(SIGTERM);
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  ASSERT_TRUE(Eventually([&] { return service.Admin("/readyz").status == 503; }));
  // /readyz comes first.
  std::string answer;
  while (answer.find("Connection: close") == std::string::npos && !deadline.Expired()) {
    const RawSocket next(service.port());
    next.Send(request);
    answer = next.ReadUntil("}");
  }
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  socket.Send(request);
  EXPECT_THAT(socket.ReadUntil("}"), HasSubstr("Connection: close"));
  service.process().Signal(SIGKILL);
  service.process().Wait();
}

TEST_P(LifecycleTest, DrainHasAnEnd) {
  Service service = Start("shutdown: {drain: 200ms}\n");
  const RawSocket socket(service.port());
  socket.Send(fmt::format("PUT {}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello", kKeys));
  service.process().Signal(SIGTERM);
  EXPECT_EQ(service.process().Wait(), 0);
}

TEST(LifecycleTest, RocksdbKeepsDataAcrossRestarts) {
  const TemporaryFolder folder;
  std::string tag;
  {
    Service service(folder, "rocksdb");
    tag = service.Send("PUT", kKeys + "/k", {{"Holdfast-Metadata", "{\"a\":1}"}}, "v").headers.find("ETag")->second;
    service.process().Signal(SIGTERM);
    EXPECT_EQ(service.process().Wait(), 0);
  }
  Service service(folder, "rocksdb");
  const auto read = service.Send("GET", kKeys + "/k");
  EXPECT_EQ(read.body, "v");
  EXPECT_EQ(read.headers.find("ETag")->second, tag);
  EXPECT_EQ(read.headers.find("Holdfast-Metadata")->second, "{\"a\":1}");
  const auto rewritten = service.Send("PUT", kKeys + "/k", {{"If-Match", tag}}, "w");
  EXPECT_EQ(rewritten.status, 204);
  EXPECT_GT(std::stoull(rewritten.headers.find("ETag")->second.substr(1)), std::stoull(tag.substr(1)));
}

// Writes until it is told that the service has gone; every answer it got must be true afterwards.
void ExpectNothingAcknowledgedIsLost(int signal) {
  const TemporaryFolder folder;
  constexpr int kWriters = 4;
  std::vector<std::vector<std::string>> acknowledged(kWriters);
  {
    Service service(folder, "rocksdb");
    std::atomic<int> writes{0};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        const RawSocket socket(service.port());
        for (int sequence = 0;; ++sequence) {
          const std::string key = fmt::format("w{}-{:06}", writer, sequence);
          socket.Send(fmt::format("PUT {}/{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", kKeys, key,
                                  key.size(), key));
          if (!socket.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 201 ")) return;
          acknowledged[static_cast<std::size_t>(writer)].push_back(key);
          ++writes;
        }
      });
    }
    EXPECT_TRUE(Eventually([&] { return writes >= 200; }));
    service.process().Signal(signal);
    const int exit_code = service.process().Wait();
    EXPECT_EQ(exit_code, signal == SIGKILL ? 128 + SIGKILL : 0);
    for (std::thread& writer : writers) writer.join();
  }
  Service service(folder, "rocksdb");
  for (const auto& keys : acknowledged) {
    for (const std::string& key : keys) ASSERT_EQ(service.Send("GET", kKeys + "/" + key).body, key);
  }
}

TEST(LifecycleTest, RocksdbSigtermUnderLoadLosesNothingAcknowledged) {
  ExpectNothingAcknowledgedIsLost(SIGTERM);
}

TEST(LifecycleTest, RocksdbKillUnderLoadLosesNothingAcknowledged) {
  ExpectNothingAcknowledgedIsLost(SIGKILL);
}

// What has been started by then (backends, their pools, the health checks that the admin port asks) is ended in order.
TEST(LifecycleTest, RocksdbAStartThatFailsLateClosesWhatItHadOpened) {
  const TemporaryFolder folder;
  const std::string data = "--data_dir=" + (folder.path() / "data").string();
  const std::vector<std::string> serve = {"serve",
                                          "--listen.address=127.0.0.1",
                                          "--listen.port=0",
                                          "--admin.port=0",
                                          "--admin.address=127.0.0.1",
                                          "--backends.local.type=rocksdb",
                                          "--log.level=error",
                                          data};
  std::vector<std::string> broken = serve;
  broken.push_back("--auth.mode=tokens");
  broken.push_back("--auth.tokens_file=" + (folder.path() / "absent.yaml").string());
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Finished finished = RunHoldfast({broken, {}, ""});
    EXPECT_EQ(finished.exit_code, 1) << finished.errors;
    EXPECT_EQ(Lines(finished.errors), 1u) << finished.errors;
    EXPECT_THAT(finished.errors, testing::HasSubstr("absent.yaml"));
  }
}

TEST(LifecycleTest, MemoryDataPortTakenIsOneClearLine) {
  const TemporaryFolder folder;
  const TakenPort taken;
  const std::string port = std::to_string(taken.port());
  const Finished finished =
      RunHoldfast({{"serve", "--listen.address=127.0.0.1", "--listen.port=" + port, "--admin.port=0",
                    "--admin.address=127.0.0.1", "--backends.m.type=memory", "--log.level=error"},
                   {},
                   ""});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(Lines(finished.errors), 1u) << finished.errors;
  EXPECT_THAT(finished.errors, testing::HasSubstr(port));
  EXPECT_EQ(finished.output, "");
}

// The backends have not been touched then: the admin port comes first.
TEST(LifecycleTest, RocksdbAdminPortTakenLeavesNothingBehind) {
  const TemporaryFolder folder;
  const TakenPort taken;
  const std::string port = std::to_string(taken.port());
  const Finished finished =
      RunHoldfast({{"serve", "--listen.port=0", "--admin.port=" + port, "--admin.address=127.0.0.1",
                    "--data_dir=" + (folder.path() / "data").string()},
                   {},
                   ""});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(Lines(finished.errors), 1u) << finished.errors;
  EXPECT_THAT(finished.errors, testing::HasSubstr(port));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "data"));
}

TEST(LifecycleTest, RocksdbFolderOfARunningServiceIsRefused) {
  const TemporaryFolder folder;
  Service first(folder, "rocksdb");
  const Finished second = RunHoldfast({{"serve", "--listen.port=0", "--admin.port=0", "--admin.address=127.0.0.1",
                                        "--log.level=error", "--data_dir=" + (folder.path() / "data").string()},
                                       {},
                                       ""});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_EQ(Lines(second.errors), 1u) << second.errors;
  EXPECT_THAT(second.errors, testing::HasSubstr("backend local"));
  EXPECT_EQ(first.Send("PUT", kKeys + "/k", {}, "v").status, 201);
}

TEST(LifecycleTest, RocksdbUnwritableFolderIsOneClearLine) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("file", "not a folder");
  const Finished finished = RunHoldfast({{"serve", "--listen.port=0", "--admin.port=0", "--admin.address=127.0.0.1",
                                          "--log.level=error", "--data_dir=" + file},
                                         {},
                                         ""});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(Lines(finished.errors), 1u) << finished.errors;
  EXPECT_THAT(finished.errors, testing::HasSubstr(file));
  EXPECT_THAT(finished.errors, testing::HasSubstr("data_dir"));
}

}  // namespace
}  // namespace holdfast
