#include "operator/kube/base64.h"
#include "operator/kube/credentials.h"
#include "tests/unit/operator/kube/temporary_directory.h"

namespace holdfast::kube {
namespace {

// A kubeconfig with one context "main" whose cluster and user have these lines.
std::string Config(const std::string& cluster, const std::string& user, const std::string& context = "") {
  return "apiVersion: v1\nkind: Config\ncurrent-context: main\n"
         "contexts:\n- name: main\n  context:\n    cluster: c\n    user: u\n" +
         context + "clusters:\n- name: c\n  cluster:\n" + cluster + "users:\n- name: u\n  user:\n" + user;
}

const char* const kServer = "    server: https://10.0.0.1:6443\n";

TEST(Kubeconfig, InlineData) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write(
      "config", Config(std::string(kServer) + "    certificate-authority-data: " + Base64Encode("CA") + "\n",
                       "    client-certificate-data: " + Base64Encode("CERT") +
                           "\n    client-key-data: " + Base64Encode("KEY") + "\n",
                       "    namespace: prod\n"));
  const auto credentials = LoadKubeconfig(path, "");
  ASSERT_TRUE(credentials.ok()) << credentials.error().ToString();
  EXPECT_EQ(credentials->base_url, "https://10.0.0.1:6443");
  EXPECT_EQ(credentials->path_prefix, "");
  EXPECT_EQ(credentials->ca_pem, "CA");
  EXPECT_EQ(credentials->client_certificate_pem, "CERT");
  EXPECT_EQ(credentials->client_key_pem, "KEY");
  EXPECT_EQ(credentials->ns, "prod");
  EXPECT_EQ(credentials->token, nullptr);
  EXPECT_FALSE(credentials->insecure_skip_tls_verify);
}

TEST(Kubeconfig, FilesRelativeToItAndAbsolute) {
  const TemporaryDirectory directory;
  directory.Write("pki/ca.crt", "CA");
  directory.Write("pki/user.crt", "CERT");
  const std::string key = directory.Write("elsewhere/user.key", "KEY");
  const std::string token = directory.Write("token", "tok\n");
  const std::string path =
      directory.Write("config", Config(std::string(kServer) + "    certificate-authority: pki/ca.crt\n",
                                       "    client-certificate: ./pki/user.crt\n    client-key: " + key +
                                           "\n    tokenFile: token\n" + "    token: ignored\n"));
  const auto credentials = LoadKubeconfig(path, "");
  ASSERT_TRUE(credentials.ok()) << credentials.error().ToString();
  EXPECT_EQ(credentials->ca_pem, "CA");
  EXPECT_EQ(credentials->client_certificate_pem, "CERT");
  EXPECT_EQ(credentials->client_key_pem, "KEY");
  ASSERT_NE(credentials->token, nullptr);
  EXPECT_EQ(credentials->token->Token(), "tok");
  EXPECT_EQ(credentials->ns, "default");
}

TEST(Kubeconfig, TokenAndInsecure) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write(
      "config", Config("    server: https://host/k8s/c-1/\n    insecure-skip-tls-verify: true\n", "    token: tok\n"));
  const auto credentials = LoadKubeconfig(path, "main");
  ASSERT_TRUE(credentials.ok()) << credentials.error().ToString();
  EXPECT_TRUE(credentials->insecure_skip_tls_verify);
  EXPECT_EQ(credentials->token->Token(), "tok");
  EXPECT_EQ(credentials->base_url, "https://host");
  EXPECT_EQ(credentials->path_prefix, "/k8s/c-1");
}

TEST(Kubeconfig, JsonIsYamlToo) {
  const TemporaryDirectory directory;
  const std::string path =
      directory.Write("config",
                      R"({"current-context":"a","contexts":[{"name":"a","context":{"cluster":"c"}}],
          "clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:8001"}}]})");
  const auto credentials = LoadKubeconfig(path, "");
  ASSERT_TRUE(credentials.ok()) << credentials.error().ToString();
  EXPECT_EQ(credentials->base_url, "http://127.0.0.1:8001");
}

TEST(Kubeconfig, WhatIsNotUnderstoodIsRefusedByName) {
  const TemporaryDirectory directory;
  const std::pair<const char*, std::string> cases[] = {
      {"exec", Config(kServer, "    exec: {command: aws, apiVersion: x}\n")},
      {"auth-provider", Config(kServer, "    auth-provider: {name: gcp}\n")},
      {"password", Config(kServer, "    password: canary\n")},
      {"username", Config(kServer, "    username: admin\n    password: canary\n")},
      {"as", Config(kServer, "    as: root\n    token: canary\n")},
      {"proxy-url", Config(std::string(kServer) + "    proxy-url: http://proxy\n", "    token: canary\n")},
      {"tls-server-name", Config(std::string(kServer) + "    tls-server-name: x\n", "    token: canary\n")},
  };
  for (const auto& [field, text] : cases) {
    const auto credentials = LoadKubeconfig(directory.Write("config", text), "");
    ASSERT_FALSE(credentials.ok()) << field;
    EXPECT_EQ(credentials.error().code(), ErrorCode::kNotSupported) << field;
    EXPECT_NE(credentials.error().message().find(std::string(field) + ":"), std::string::npos)
        << credentials.error().message();
    EXPECT_EQ(credentials.error().message().find("canary"), std::string::npos);
  }
}

TEST(Kubeconfig, WhatIsMissingOrWrongIsNamed) {
  const TemporaryDirectory directory;
  const auto message = [&](const std::string& text, const std::string& context = "") {
    const auto credentials = LoadKubeconfig(directory.Write("config", text), context);
    return credentials.ok() ? std::string("it was taken") : credentials.error().message();
  };
  const std::string good = Config(kServer, "    token: t\n");
  EXPECT_NE(message(good, "other").find("context \"other\""), std::string::npos);
  EXPECT_NE(message("apiVersion: v1\n").find("current-context"), std::string::npos);
  EXPECT_NE(message("current-context: a\ncontexts:\n- {name: a, context: {cluster: zz}}\n").find("cluster \"zz\""),
            std::string::npos);
  EXPECT_NE(message(Config("    server: 10.0.0.1\n", "    token: t\n")).find("server"), std::string::npos);
  EXPECT_NE(message(Config(kServer, "    client-certificate-data: QQ==\n")).find("client-key"), std::string::npos);
  EXPECT_NE(message(Config(kServer, "    client-key-data: '*canary*'\n")).find("client-key-data"), std::string::npos);
  EXPECT_EQ(message(Config(kServer, "    client-key-data: '*canary*'\n")).find("canary"), std::string::npos);
  EXPECT_NE(message(Config(kServer, "    tokenFile: missing\n")).find("missing"), std::string::npos);
  EXPECT_NE(message("- a\n- b\n").find("mapping"), std::string::npos);
  EXPECT_NE(message("a: [\n").find("config:"), std::string::npos);
  EXPECT_EQ(LoadKubeconfig(directory.Path("none"), "").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace holdfast::kube
