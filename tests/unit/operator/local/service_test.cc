#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "operator/local/process_runner/tcp_connect.h"
#include "operator/local/services/service_controller.h"
#include "operator/local/services/service_endpoints.h"
#include "tests/unit/operator/local/runner_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

Json Service(Json more = Json::object()) {
  Json service = Json::parse(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"db","namespace":"default"},
    "spec":{"clusterIP":"127.0.2.1","selector":{"app":"db","role":"master"},
      "ports":[{"name":"sql","port":5432,"targetPort":"postgres","protocol":"TCP"},
               {"name":"rest","port":80,"targetPort":8008,"protocol":"TCP"}]}})");
  service["spec"].update(more);
  return service;
}

Json PodAt(const std::string& name, const std::string& address, const std::string& role, bool ready) {
  return {{"metadata",
           {{"name", name}, {"namespace", "default"}, {"uid", name}, {"labels", {{"app", "db"}, {"role", role}}}}},
          {"spec",
           {{"hostname", name},
            {"subdomain", "db"},
            {"nodeName", "local"},
            {"containers", {{{"ports", {{{"name", "postgres"}, {"containerPort", 5432}}}}}}}}},
          {"status",
           {{"phase", "Running"},
            {"podIP", address},
            {"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}}}}}};
}

ServiceView ViewOf(const Json& service, const std::vector<Json>& pods) {
  std::vector<const Json*> pointers;
  for (const Json& each : pods) pointers.push_back(&each);
  return ViewService(service, pointers);
}

TEST(ServiceView, FollowsTheSelectorToReadyPods) {
  std::vector<Json> pods{PodAt("db-0", "127.0.1.1", "replica", true), PodAt("db-1", "127.0.1.2", "master", true),
                         PodAt("db-2", "127.0.1.3", "master", false)};
  ServiceView view = ViewOf(Service(), pods);
  ASSERT_EQ(view.ports.size(), 2u);
  ASSERT_EQ(view.ports[0].targets.size(), 1u);
  EXPECT_EQ(view.ports[0].targets[0].address, "127.0.1.2");
  EXPECT_EQ(view.ports[0].targets[0].port, 5432);
  EXPECT_EQ(view.ports[1].targets[0].port, 8008);
  ASSERT_EQ(view.subsets.size(), 1u);
  EXPECT_EQ(view.subsets[0]["addresses"][0]["targetRef"]["name"], "db-1");
  EXPECT_EQ(view.subsets[0]["notReadyAddresses"][0]["ip"], "127.0.1.3");
  EXPECT_EQ(view.subsets[0]["ports"][0]["port"], 5432);
  EXPECT_THAT(view.addresses_by_name, testing::Contains(Pair("db", ElementsAre("127.0.2.1"))));
}

TEST(ServiceView, PodsThatLeaveOrHaveLeftAreNoTargets) {
  Json leaving = PodAt("db-0", "127.0.1.1", "master", true);
  leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  Json ended = PodAt("db-1", "127.0.1.2", "master", true);
  ended["status"]["phase"] = "Failed";
  ServiceView view = ViewOf(Service(), {leaving, ended});
  EXPECT_THAT(view.ports[0].targets, IsEmpty());
  ASSERT_EQ(view.ports[0].leaving.size(), 1u) << "what it has begun would be cut off";
  EXPECT_EQ(view.ports[0].leaving[0].address, "127.0.1.1");
  ASSERT_EQ(view.subsets.size(), 1u);
  EXPECT_FALSE(view.subsets[0].contains("addresses"));
}

TEST(ServiceView, AHeadlessServiceNamesItsPods) {
  Json service = Service({{"clusterIP", "None"}, {"selector", {{"app", "db"}}}});
  std::vector<Json> pods{PodAt("db-0", "127.0.1.1", "replica", true), PodAt("db-1", "127.0.1.2", "master", false)};
  EXPECT_THAT(ViewOf(service, pods).addresses_by_name,
              ElementsAre(Pair("db", ElementsAre("127.0.1.1")), Pair("db-0.db", ElementsAre("127.0.1.1"))));
  service["spec"]["publishNotReadyAddresses"] = true;
  EXPECT_THAT(ViewOf(service, pods).addresses_by_name, testing::Contains(Pair("db-1.db", ElementsAre("127.0.1.2"))));
}

// A server that tells its name to whoever connects and keeps the connection.
class NamedServer {
 public:
  NamedServer(const std::string& address, std::uint16_t port, const std::string& name) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place = Place(address, port);
    int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&place), sizeof place), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    thread_ = std::thread([this, name] {
      for (int client; (client = accept(listener_, nullptr, nullptr)) >= 0;) {
        (void)!write(client, name.data(), name.size());
        clients_.push_back(client);
      }
    });
  }
  NamedServer(const NamedServer&) = delete;
  NamedServer& operator=(const NamedServer&) = delete;
  ~NamedServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    for (int each : clients_) close(each);
  }
  static sockaddr_in Place(const std::string& address, std::uint16_t port) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &place.sin_addr);
    return place;
  }

 private:
  int listener_ = -1;
  std::vector<int> clients_;  // used by the thread only, until it has ended
  std::thread thread_;
};

class Client {
 public:
  Client(const std::string& address, std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in place = NamedServer::Place(address, port);
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(socket_); }
  bool connected() const { return connected_; }
  // Neither an end nor a reset has come.
  bool Quiet() const {
    pollfd wait{socket_, POLLIN, 0};
    return poll(&wait, 1, 0) == 0;
  }
  // What comes next; "" for an orderly end, "reset", or "nothing" when nothing came within ten seconds.
  std::string Read() const {
    pollfd wait{socket_, POLLIN, 0};
    if (poll(&wait, 1, 10'000) <= 0) return "nothing";
    char buffer[64];
    ssize_t got = recv(socket_, buffer, sizeof buffer, 0);
    return got < 0 ? "reset" : std::string(buffer, static_cast<std::size_t>(got));
  }

 private:
  int socket_;
  bool connected_ = false;
};

class TcpForwarderTest : public testing::Test {
 protected:
  static constexpr std::uint16_t kPort = 21000;
  std::string Pod(int number) const { return network_->pods() + "." + std::to_string(number); }

  std::unique_ptr<LoopbackNetwork> network_ = LoopbackNetwork::Claim().value();
  std::string service_ = network_->ServiceAddress("default", "db");
  NamedServer one_{Pod(1), kPort, "one"};
  NamedServer two_{Pod(2), kPort, "two"};
  TcpForwarder forwarder_;
};

TEST_F(TcpForwarderTest, ConnectionsFollowTheTargets) {
  EXPECT_FALSE(Client(service_, kPort).connected());
  EXPECT_THAT(forwarder_.Apply({{service_, kPort, {{Pod(1), kPort, "a"}}}}), IsEmpty());
  Client first(service_, kPort);
  EXPECT_EQ(first.Read(), "one");
  EXPECT_THAT(forwarder_.Apply({{service_, kPort, {{Pod(2), kPort, "b"}}}}), IsEmpty());
  EXPECT_EQ(first.Read(), "reset");
  Client second(service_, kPort);
  EXPECT_EQ(second.Read(), "two");
  EXPECT_THAT(forwarder_.Apply({{service_, kPort, {}}}), IsEmpty());
  EXPECT_EQ(second.Read(), "reset");
  EXPECT_FALSE(Client(service_, kPort).connected());
}

TEST_F(TcpForwarderTest, TargetsTakeTurnsAndOthersKeepTheirConnections) {
  forwarder_.Apply({{service_, kPort, {{Pod(1), kPort, "a"}, {Pod(2), kPort, "b"}}}});
  Client first(service_, kPort);
  Client second(service_, kPort);
  EXPECT_THAT((std::vector<std::string>{first.Read(), second.Read()}), testing::UnorderedElementsAre("one", "two"));
  // The same place, but another pod: its connections are cut like those of any that has gone.
  forwarder_.Apply({{service_, kPort, {{Pod(1), kPort, "a"}, {Pod(2), kPort, "c"}}}});
  Client third(service_, kPort);
  EXPECT_THAT(third.Read(), testing::AnyOf("one", "two"));
}

TEST_F(TcpForwarderTest, ATargetThatLeavesKeepsItsConnectionsAndGetsNoNewOnes) {
  forwarder_.Apply({{service_, kPort, {{Pod(1), kPort, "a"}}}});
  Client first(service_, kPort);
  EXPECT_EQ(first.Read(), "one");
  forwarder_.Apply({{service_, kPort, {{Pod(2), kPort, "b"}}, {{Pod(1), kPort, "a"}}}});
  EXPECT_EQ(Client(service_, kPort).Read(), "two");
  EXPECT_EQ(Client(service_, kPort).Read(), "two");
  EXPECT_TRUE(first.Quiet());
  forwarder_.Apply({{service_, kPort, {{Pod(2), kPort, "b"}}}});
  EXPECT_EQ(first.Read(), "reset");
}

TEST_F(TcpForwarderTest, AnAddressThatIsTakenIsToldAndTriedAgain) {
  auto holder = std::make_unique<NamedServer>(service_, kPort, "holder");
  std::vector<ForwardRule> rules{{service_, kPort, {{Pod(1), kPort, "a"}}}};
  std::vector<Error> errors = forwarder_.Apply(rules);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0].message(), HasSubstr(service_ + ":21000: Address already in use"));
  holder.reset();
  EXPECT_THAT(forwarder_.Apply(rules), IsEmpty());
  EXPECT_EQ(Client(service_, kPort).Read(), "one");
}

class ServiceControllerTest : public RunnerTest {
 protected:
  static constexpr const char* kServices = "/api/v1/namespaces/default/services";
  static constexpr const char* kEndpoints = "/api/v1/namespaces/default/endpoints";
  Json Labelled(const std::string& name) {
    Json pod = Pod(name, {"sleep"});
    pod["metadata"]["labels"] = {{"app", "db"}};
    return pod;
  }
  Json Plain() {
    Json service = Service({{"clusterIP", network_->ServiceAddress("default", "db")}});
    return service;
  }

  ServiceController controller_{api_, {}};
};

TEST_F(ServiceControllerTest, EndpointsFollowLabelsAndGoWithTheService) {
  Create(kServices, Plain());
  Create(PodPath(), Labelled("p"));
  ASSERT_TRUE(Eventually([&] { return IsReady("p"); }));
  ASSERT_TRUE(Eventually([&] { return Get(std::string(kEndpoints) + "/db").ok(); }));
  Json before = Get(std::string(kEndpoints) + "/db").body;
  EXPECT_TRUE(ArrayAt(before, {"subsets"}).empty());
  MergePatch(PodPath("p"), {{"metadata", {{"labels", {{"role", "master"}}}}}});
  EXPECT_TRUE(Eventually([&] {
    Json endpoints = Get(std::string(kEndpoints) + "/db").body;
    return !ArrayAt(endpoints, {"subsets"}).empty() && endpoints["subsets"][0]["addresses"][0]["ip"] == address();
  }));
  Delete(std::string(kServices) + "/db");
  EXPECT_TRUE(Vanishes(std::string(kEndpoints) + "/db"));
}

TEST_F(ServiceControllerTest, NamesAreToldInEveryForm) {
  Create(kServices, Plain());
  std::string address = network_->ServiceAddress("default", "db");
  EXPECT_TRUE(Eventually([&] {
    return *controller_.HostsOf("default") == address + " db.default.svc.cluster.local db.default.svc db.default db\n";
  })) << *controller_.HostsOf("default");
  EXPECT_EQ(*controller_.HostsOf("other"), address + " db.default.svc.cluster.local db.default.svc db.default\n");
  // So that who follows them can tell at once.
  const std::shared_ptr<const std::string> before = controller_.HostsOf("default");
  EXPECT_EQ(before, controller_.HostsOf("default"));
  Delete(std::string(kServices) + "/db");
  EXPECT_TRUE(Eventually([&] { return controller_.HostsOf("default") != before; }));
  EXPECT_EQ("", *controller_.HostsOf("default"));
}

TEST(LoopbackNetwork, TwoAtATimeAreDifferent) {
  auto one = LoopbackNetwork::Claim();
  auto two = LoopbackNetwork::Claim();
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE((*one)->pods(), (*two)->pods());
  EXPECT_EQ((*one)->ServiceAddress("a", "b"), (*one)->ServiceAddress("a", "b"));
  EXPECT_NE((*one)->ServiceAddress("a", "b"), (*one)->ServiceAddress("b", "b"));
}

}  // namespace
}  // namespace holdfast::local
