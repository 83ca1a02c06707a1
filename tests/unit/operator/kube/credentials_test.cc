#include "operator/kube/credentials.h"

#include "tests/unit/operator/kube/temporary_directory.h"

namespace holdfast::kube {
namespace {

std::string Config(const std::string& server) {
  return "current-context: m\ncontexts: [{name: m, context: {cluster: c}}]\n"
         "clusters: [{name: c, cluster: {server: \"" +
         server + "\"}}]\n";
}

class CredentialsTest : public testing::Test {
 protected:
  void MakePod() {
    query_.service_account_directory = directory_.Path("sa");
    directory_.Write("sa/token", "pod-token");
    directory_.Write("sa/ca.crt", "POD CA");
    directory_.Write("sa/namespace", "prod\n");
    query_.environment["KUBERNETES_SERVICE_HOST"] = "10.96.0.1";
    query_.environment["KUBERNETES_SERVICE_PORT"] = "443";
  }

  std::string Found() {
    const auto credentials = FindCredentials(query_);
    return credentials.ok() ? credentials->base_url : credentials.error().ToString();
  }

  TemporaryDirectory directory_;
  CredentialsQuery query_;
};

TEST_F(CredentialsTest, InAPod) {
  MakePod();
  const auto credentials = FindCredentials(query_);
  ASSERT_TRUE(credentials.ok()) << credentials.error().ToString();
  EXPECT_EQ(credentials->base_url, "https://10.96.0.1:443");
  EXPECT_EQ(credentials->ca_pem, "POD CA");
  EXPECT_EQ(credentials->token->Token(), "pod-token");
  EXPECT_EQ(credentials->ns, "prod");
  directory_.Write("sa/token", "rotated-pod-token");
  EXPECT_EQ(credentials->token->Token(), "rotated-pod-token");
}

TEST_F(CredentialsTest, InAPodWithIpv6TheServersNameStandsForItsAddress) {
  MakePod();
  query_.environment["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  EXPECT_EQ(Found(), "https://kubernetes.default.svc:443");
}

TEST_F(CredentialsTest, APodWithoutATokenSaysSo) {
  MakePod();
  std::filesystem::remove(directory_.Path("sa/token"));
  EXPECT_NE(Found().find("automountServiceAccountToken"), std::string::npos);
  directory_.Write("sa/token", "t");
  std::filesystem::remove(directory_.Path("sa/ca.crt"));
  EXPECT_NE(Found().find("ca.crt"), std::string::npos);
}

TEST_F(CredentialsTest, TheOrderOfSources) {
  EXPECT_NE(Found().find("not_found"), std::string::npos);
  query_.environment["HOME"] = directory_.Path("home");
  EXPECT_NE(Found().find("not_found"), std::string::npos);
  directory_.Write("home/.kube/config", Config("https://home"));
  EXPECT_EQ(Found(), "https://home");
  MakePod();
  EXPECT_EQ(Found(), "https://10.96.0.1:443");
  query_.environment["KUBECONFIG"] = directory_.Path("missing") + ":" +
                                     directory_.Write("listed", Config("https://listed")) + ":" +
                                     directory_.Write("later", Config("https://later"));
  EXPECT_EQ(Found(), "https://listed");
  query_.kubeconfig = directory_.Write("named", Config("https://named"));
  EXPECT_EQ(Found(), "https://named");
  query_.server = "http://127.0.0.1:8001";
  EXPECT_EQ(Found(), "http://127.0.0.1:8001");
}

TEST_F(CredentialsTest, ABrokenSourceNeverFallsThrough) {
  MakePod();
  query_.environment["KUBECONFIG"] = directory_.Path("missing");
  EXPECT_NE(Found().find("missing"), std::string::npos);
  query_.environment["KUBECONFIG"] = directory_.Write("broken", "a: [");
  EXPECT_NE(Found().find("broken"), std::string::npos);
  query_.environment.erase("KUBECONFIG");
  query_.environment.erase("KUBERNETES_SERVICE_PORT");
  query_.environment["HOME"] = directory_.Path("home");
  directory_.Write("home/.kube/config", Config("https://home"));
  EXPECT_NE(Found().find("KUBERNETES_SERVICE_PORT"), std::string::npos);
}

TEST_F(CredentialsTest, APlainServerHasNoCredentials) {
  query_.server = "http://127.0.0.1:8001/";
  const auto credentials = FindCredentials(query_);
  ASSERT_TRUE(credentials.ok());
  EXPECT_EQ(credentials->token, nullptr);
  EXPECT_EQ(credentials->client_key_pem, "");
  EXPECT_EQ(credentials->ns, "default");
  query_.server = "127.0.0.1:8001";
  EXPECT_EQ(FindCredentials(query_).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace holdfast::kube
