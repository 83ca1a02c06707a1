#include "operator/local/announcement.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::local {
namespace {

using ::testing::ElementsAre;

constexpr char kKubectl[] = "kubectl --server http://127.0.0.1:8001";

TEST(Announcement, OfAPlainServiceIsWhereItListens) {
  const Json cluster = {{"metadata", {{"name", "demo"}, {"namespace", "default"}}},
                        {"status", {{"endpoint", "http://demo.default.svc:8080"}}}};
  const Announcement announcement = Announce(cluster, "127.0.0.1", 8088, kKubectl);
  EXPECT_EQ(announcement.url, "http://127.0.0.1:8088");
  EXPECT_THAT(announcement.commands,
              ElementsAre("curl -X PUT --data-binary hello http://127.0.0.1:8088/v1/stores/_default/keys/greeting",
                          "curl http://127.0.0.1:8088/v1/stores/_default/keys/greeting",
                          "curl http://127.0.0.1:8088/v1/stores/_default/keys"));
}

TEST(Announcement, OverTlsTellsWhomToTrustAndByWhichName) {
  Json cluster = {{"metadata", {{"name", "demo"}, {"namespace", "prod"}}},
                  {"status", {{"endpoint", "https://demo.prod.svc:8080"}, {"caConfigMap", "demo-ca"}}}};
  const Announcement issued = Announce(cluster, "127.0.0.1", 8088, kKubectl);
  EXPECT_EQ(issued.url, "https://127.0.0.1:8088");
  const std::string curl = "curl --cacert ca.crt --connect-to ::127.0.0.1:8088 ";
  const std::string keys = "https://demo.prod.svc:8080/v1/stores/_default/keys";
  EXPECT_THAT(
      issued.commands,
      ElementsAre("kubectl --server http://127.0.0.1:8001 --namespace prod get configmap demo-ca "
                  "-o jsonpath='{.data.ca\\.crt}' > ca.crt",
                  curl + "-X PUT --data-binary hello " + keys + "/greeting", curl + keys + "/greeting", curl + keys));

  cluster["status"].erase("caConfigMap");
  cluster["spec"]["service"]["tls"]["clientCA"]["secretRef"] = {{"name", "clients"}, {"key", "ca.crt"}};
  const Announcement own = Announce(cluster, "127.0.0.1", 8088, kKubectl);
  EXPECT_EQ(own.commands.at(2),
            "curl --cacert ca.crt --connect-to ::127.0.0.1:8088 --cert client.crt --key client.key " + keys);
}

}  // namespace
}  // namespace holdfast::local
