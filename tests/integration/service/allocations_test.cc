// What a GET costs the whole service in memory: wire, routes, tenancy, metrics, store. The wire's share is none, see
// tests/integration/http_framing/allocations_test.cc.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <ostream>

#include "service/assembly.h"
#include "tests/integration/http_framing/allocation_count.h"
#include "tests/integration/http_framing/raw_client.h"
#include "tests/integration/service/service_process.h"

namespace holdfast::service {
namespace {

using api::testing::AllocationsOfMarkedThreads;
using api::testing::MarkThisThread;
using api::testing::RawClient;

// In front of the service's own handler: marks the I/O thread, on which a GET is answered from end to end. What other
// threads do meanwhile, such as RocksDB's, is no request's.
class MarkingHandler final : public api::Handler {
 public:
  explicit MarkingHandler(std::shared_ptr<api::Handler> next) : next_(std::move(next)) {}
  void Handle(api::Request& request, api::Responder responder) override {
    MarkThisThread();
    next_->Handle(request, std::move(responder));
  }
  api::BodyTerms TermsOfBody(const api::Request& request) const override { return next_->TermsOfBody(request); }
  api::Response Refuse(int status, std::string_view code, std::string_view detail) const override {
    return next_->Refuse(status, code, detail);
  }

 private:
  const std::shared_ptr<api::Handler> next_;
};

ServiceSettings Load(const std::vector<std::string>& flags) {
  config::Sources sources;
  sources.flags = flags;
  std::vector<config::Problem> problems;
  std::optional<ServiceSettings> settings;
  if (const auto loaded = SettingsTable().Load(sources, &problems)) settings = Interpret(*loaded, &problems);
  for (const config::Problem& problem : problems) ADD_FAILURE() << problem.where << ": " << problem.message;
  return settings.value_or(ServiceSettings{});
}

// As `holdfast serve` puts it together, with one I/O thread.
class ServiceInProcess {
 public:
  explicit ServiceInProcess(ServiceSettings settings) {
    settings.listen.port = 0;
    settings.listen.threads = 1;
    backends_ = OpenBackends(settings.backends).value();
    const auto accounts = std::make_shared<tenancy::UsageAccounts>();
    stores_ = BuildStores(settings, backends_, {}, accounts, registry_);
    api::ApiOptions options = settings.api;
    options.tenancy = BuildTenancy(settings, *stores_, accounts, registry_).value();
    handler_ = std::make_shared<MarkingHandler>(
        std::make_shared<api::ApiHandler>(stores_, options, registry_, [] { return api::HealthReport{}; }));
    server_ = api::HttpServer::Start(settings.listen, handler_, registry_).value();
  }
  ~ServiceInProcess() {
    StopWaiting(*stores_);
    server_->Shutdown(Deadline::After(std::chrono::seconds{10}));
    DrainStores(*stores_);
    EXPECT_TRUE(CloseBackends(backends_).ok());
  }
  std::uint16_t port() const { return server_->port(); }

 private:
  metrics::Registry registry_;
  std::vector<OpenBackend> backends_;
  std::shared_ptr<const storage::StoreRegistry> stores_;
  std::shared_ptr<api::Handler> handler_;
  std::unique_ptr<api::HttpServer> server_;
};

struct Backend {
  const char* name;
  std::vector<std::string> settings;
  std::size_t most_per_get;
};
void PrintTo(const Backend& backend, std::ostream* out) {
  *out << backend.name;
}

class ServiceAllocations : public ::testing::TestWithParam<Backend> {};

// Two are the service's: the request while it is served, and the key with its store and namespace in front. RocksDB
// adds the row it hands out, the entry, and its value. A longer key than this one would be a further string.
TEST_P(ServiceAllocations, OfAGetAreNoMore) {
  constexpr std::size_t kRequests = 1000;
  const TemporaryFolder folder;
  std::vector<std::string> settings = GetParam().settings;
  settings.push_back("--data_dir=" + folder.path().string());
  const ServiceInProcess service(Load(settings));
  RawClient client(service.port());
  const std::string value(100, 'v');
  const std::string path("/v1/stores/_default/keys/key-000001");
  ASSERT_TRUE(client.Send(
      fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", path, value.size(), value)));
  const auto put = client.ReadResponse();
  ASSERT_TRUE(put);
  ASSERT_EQ(put->status, 201) << put->body;

  const std::string get = api::testing::Get(path, "Accept: */*\r\nUser-Agent: something of ordinary length\r\n");
  ASSERT_TRUE(client.Send(get));
  std::array<char, 4096> first;
  const ssize_t answer_bytes = ::recv(client.socket(), first.data(), first.size(), 0);
  ASSERT_GT(answer_bytes, 0);
  const std::string_view answer(first.data(), static_cast<std::size_t>(answer_bytes));
  ASSERT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  ASSERT_TRUE(answer.ends_with(value)) << answer;
  for (int warm = 0; warm < 100; ++warm) ASSERT_TRUE(client.Exchange(get, answer.size()));

  const std::size_t before = AllocationsOfMarkedThreads();
  bool all = true;
  for (std::size_t i = 0; i < kRequests; ++i) all = client.Exchange(get, answer.size()) && all;
  const std::size_t allocations = AllocationsOfMarkedThreads() - before;
  EXPECT_TRUE(all);
  EXPECT_GE(allocations, kRequests) << "the thread that answers is not the one that is counted";
  // One request in sixteen, by lot, is also counted for the hot keys.
  EXPECT_LE(allocations, GetParam().most_per_get * kRequests + kRequests / 8) << "in " << kRequests << " requests";
}

const Backend kBackends[] = {
    {"Memory", {"--backends.main.type=memory"}, 2},
    {"RocksDbCached", {"--backends.main.type=rocksdb"}, 2},
    {"RocksDb", {"--backends.main.type=rocksdb", "--backends.main.entry_cache_size=0"}, 5},
};
INSTANTIATE_TEST_SUITE_P(Over, ServiceAllocations, ::testing::ValuesIn(kBackends),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace holdfast::service
