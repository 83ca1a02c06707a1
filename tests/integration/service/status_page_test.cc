// The page for people on the admin port, as a browser asks for it; e2e/cases/status_page_in_a_browser.py shows it in
// one.
#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

class StatusPageTest : public ServiceTest {};
HOLDFAST_ON_BOTH_BACKENDS(StatusPageTest);

std::string Header(const http::ClientResponse& response, const std::string& name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? std::string() : found->second;
}

TEST_P(StatusPageTest, IsServedWithItsFilesAndAPolicy) {
  Service service = Start();
  const struct {
    const char* path;
    const char* type;
    const char* part;
  } kFiles[] = {{"/", "text/html; charset=utf-8", "<script src=\"status.js\" defer>"},
                {"/status.css", "text/css; charset=utf-8", "border-collapse"},
                {"/status.js", "text/javascript; charset=utf-8", "fetch(\"healthz\""}};
  for (const auto& file : kFiles) {
    const http::ClientResponse answer = service.Admin(file.path);
    EXPECT_EQ(answer.status, 200) << file.path;
    EXPECT_EQ(Header(answer, "Content-Type"), file.type);
    EXPECT_NE(answer.body.find(file.part), std::string::npos) << file.path;
    EXPECT_EQ(Header(answer, "Content-Security-Policy").rfind("default-src 'none';", 0), 0U) << file.path;
    EXPECT_EQ(Header(answer, "X-Content-Type-Options"), "nosniff");
  }
}

// The script reads these two; their shape is what it counts on.
TEST_P(StatusPageTest, FindsWhatItShows) {
  Service service = Start();
  service.Send("PUT", "/v1/stores/main/keys/a", {}, "1");
  const nlohmann::json health = nlohmann::json::parse(service.Admin("/healthz").body);
  EXPECT_EQ(health.at("status"), "healthy");
  EXPECT_FALSE(health.at("backends").empty());
  for (const nlohmann::json& backend : health.at("backends")) {
    EXPECT_TRUE(backend.contains("name") && backend.contains("status")) << backend;
  }
  const std::string metrics = service.Admin("/metrics").body;
  EXPECT_NE(metrics.find("\nholdfast_operations_total{"), std::string::npos);
  EXPECT_NE(metrics.find("holdfast_operation_duration_seconds_bucket{"), std::string::npos);
}

}  // namespace
}  // namespace holdfast
