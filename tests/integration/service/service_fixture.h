// A running service with one store `main` on a memory or rocksdb backend, and a client for it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/http/http_client.h"
#include "tests/integration/service/openapi_check.h"
#include "tests/integration/service/service_process.h"

namespace holdfast {

class Service {
 public:
  // `settings` are further lines of the YAML file; `stores:` and `backends:` among them stand in place of the one.
  // Fails the test when it is not serving within a minute.
  Service(const TemporaryFolder& folder, const std::string& backend, const std::string& settings = "")
      : Service(Launch(folder, backend, settings)) {}
  // Of one that was launched, and may be serving or not.
  explicit Service(std::unique_ptr<Process> process);

  // Does not wait for it.
  static std::unique_ptr<Process> Launch(const TemporaryFolder& folder, const std::string& backend,
                                         const std::string& settings = "");

  // For what reads the file again.
  static void WriteSettings(const TemporaryFolder& folder, const std::string& backend, const std::string& settings);

  // Fails the test when the answer is not what the service's OpenAPI document says of it.
  http::ClientResponse Send(const std::string& method, const std::string& target, const http::Headers& headers = {},
                            const std::string& body = "");
  http::ClientResponse Admin(const std::string& path);
  nlohmann::json Json(const std::string& method, const std::string& target, const std::string& body = "");

  Process& process() { return *process_; }
  // Where not everybody may see the document, once somebody who may has sent something.
  const OpenApiCheck& openapi() {
    LoadOpenApi({});
    return *openapi_;
  }
  std::uint16_t port() const { return port_; }
  std::uint16_t admin_port() const { return admin_port_; }
  std::string url() const;

 private:
  void LoadOpenApi(const http::Headers& headers);

  std::unique_ptr<Process> process_;
  std::uint16_t port_ = 0;
  std::uint16_t admin_port_ = 0;
  std::unique_ptr<http::HttpClient> client_;
  std::unique_ptr<http::HttpClient> admin_;
  std::unique_ptr<OpenApiCheck> openapi_;
};

// Named memory and rocksdb.
class ServiceTest : public testing::TestWithParam<std::string> {
 protected:
  Service Start(const std::string& settings = "") { return Service(folder_, GetParam(), settings); }
  const TemporaryFolder folder_;
};

inline std::string BackendName(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

#define HOLDFAST_ON_BOTH_BACKENDS(Suite) \
  INSTANTIATE_TEST_SUITE_P(Backends, Suite, testing::Values("memory", "rocksdb"), BackendName)

}  // namespace holdfast
