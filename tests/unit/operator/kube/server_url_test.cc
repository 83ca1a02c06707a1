#include "operator/kube/server_url.h"

namespace holdfast::kube {
namespace {

TEST(ServerUrl, TakesAddressesApart) {
  const auto plain = ParseServerUrl("http://127.0.0.1:8001");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->base, "http://127.0.0.1:8001");
  EXPECT_EQ(plain->host, "127.0.0.1:8001");
  EXPECT_EQ(plain->path, "");
  const auto behind = ParseServerUrl("https://rancher.example.org/k8s/clusters/c-1/");
  ASSERT_TRUE(behind.ok());
  EXPECT_EQ(behind->base, "https://rancher.example.org");
  EXPECT_EQ(behind->path, "/k8s/clusters/c-1");
  EXPECT_EQ(ParseServerUrl("https://host/")->path, "");
}

TEST(ServerUrl, RefusesWhatItIsNot) {
  for (const char* text : {"", "host:6443", "ftp://host", "https://", "https://:6443", "https://host?x=1",
                           "https://host/#x", "https://ho st", "https://host\r\nX: y", "https://user:canary@host"}) {
    const auto url = ParseServerUrl(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(url.error().message().find("canary"), std::string::npos);
  }
}

}  // namespace
}  // namespace holdfast::kube
