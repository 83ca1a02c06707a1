// SIGHUP: settings that a running service takes over.
#include <csignal>
#include <thread>

#include "base/time/deadline.h"
#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kKey = "/v1/stores/main/keys/k";

class ReloadTest : public ServiceTest {
 protected:
  // Returns what the service has said since, once that has `text` in it.
  std::string Reload(Service& service, const std::string& settings, const std::string& text) {
    Service::WriteSettings(folder_, GetParam(), settings);
    const std::size_t before = service.process().Errors().size();
    service.process().Signal(SIGHUP);
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    for (;;) {
      const std::string said = service.process().Errors().substr(before);
      if (said.find(text) != std::string::npos) return said;
      if (patience.Expired()) {
        ADD_FAILURE() << "not said: " << text << "; but: " << said;
        return said;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }
  static std::string Expiry(Service& service) {
    const auto put = service.Send("PUT", kKey, {}, "v");
    const auto found = put.headers.find("Holdfast-Expires-At");
    return found == put.headers.end() ? "" : found->second;
  }
};
HOLDFAST_ON_BOTH_BACKENDS(ReloadTest);

TEST_P(ReloadTest, TakesOverWhatItCanAndNamesTheRest) {
  Service service = Start("stores: {main: {backend: local}}\n");
  EXPECT_EQ(Expiry(service), "");
  const std::string changed =
      "stores: {main: {backend: local, default_ttl: 1h}}\nlimits: {value: 1Mi}\nlog: {access: all}\n";
  const std::string said = Reload(service, changed, "only a restart");
  EXPECT_THAT(said, HasSubstr(R"("taken_over":"log.access, stores.main.default_ttl")"));
  EXPECT_THAT(said, HasSubstr(R"("settings":"limits.value")"));
  EXPECT_NE(Expiry(service), "");
  EXPECT_THAT(service.process().Errors(), HasSubstr(R"("message":"request","method":"PUT")"));
  EXPECT_LT(service.Send("PUT", kKey, {}, std::string(2 << 20, 'x')).status, 300);  // the limit of the start

  // Said again as long as it is so; and back as it was.
  EXPECT_THAT(Reload(service, changed, "only a restart"), HasSubstr(R"("taken_over":"nothing")"));
  EXPECT_THAT(Reload(service, "stores: {main: {backend: local}}\n", "read again"),
              AllOf(HasSubstr("log.access, stores.main.default_ttl"), Not(HasSubstr("only a restart"))));
  EXPECT_EQ(Expiry(service), "");
}

TEST_P(ReloadTest, WrongSettingsChangeNothing) {
  Service service = Start("stores: {main: {backend: local, default_ttl: 1h}}\n");
  const std::string said =
      Reload(service, "stores: {main: {backend: local, default_ttl: soon}}\nlog: {access: all}\n", "former ones hold");
  EXPECT_THAT(said, AllOf(HasSubstr("holdfast.yaml:5"), HasSubstr("stores.main.default_ttl")));
  EXPECT_NE(Expiry(service), "");
  EXPECT_THAT(service.process().Errors(), Not(HasSubstr(R"("message":"request")")));
  EXPECT_THAT(service.Admin("/metrics").body, HasSubstr(R"(holdfast_settings_reloads_total{result="failed"} 1)"));
  service.process().Signal(SIGTERM);
  EXPECT_EQ(service.process().Wait(), 0);
}

// A guard takes its numbers over, but is not made and not taken away.
TEST_P(ReloadTest, GuardsTakeTheirNumbers) {
  const auto with = [](const std::string& guarded, const std::string& plain) {
    return "stores: {main: {backend: local}}\nbackends: {local: {type: memory, " + guarded + "}, plain: {type: memory" +
           plain + "}}\n";
  };
  Service service = Start(with("breaker: true", ""));
  std::string said = Reload(service, with("breaker: true, breaker_probes: 7", ", call_timeout: 7s"), "only a restart");
  EXPECT_THAT(said, HasSubstr(R"("taken_over":"backends.local.breaker_probes")"));
  EXPECT_THAT(said, HasSubstr(R"("settings":"backends.plain.call_timeout")"));
  said = Reload(service, with("breaker: false", ""), "only a restart");
  EXPECT_THAT(said, HasSubstr(R"("taken_over":"nothing")"));
}

// So does a store's own, which is told from that of its backend.
TEST_P(ReloadTest, GuardsOfStoresTakeTheirNumbers) {
  const auto with = [](const std::string& guarded, const std::string& plain) {
    return "stores: {main: {backend: local, resilience: {" + guarded + "}}, plain: {backend: local" + plain +
           "}}\ndefault_store: main\n";
  };
  Service service = Start(with("breaker: true", ""));
  std::string said =
      Reload(service, with("breaker: true, breaker_probes: 7", ", resilience: {call_timeout: 7s}"), "only a restart");
  EXPECT_THAT(said, HasSubstr(R"("taken_over":"stores.main.resilience.breaker_probes")"));
  EXPECT_THAT(said, HasSubstr(R"("settings":"stores.plain.resilience.call_timeout")"));
  said = Reload(service, with("breaker: true, bulkhead_calls: 7", ""), "only a restart");
  EXPECT_THAT(said, HasSubstr(R"("taken_over":"nothing")"));
}

}  // namespace
}  // namespace holdfast
