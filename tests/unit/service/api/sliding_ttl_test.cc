// Stores whose reads extend the expiry.
#include <gtest/gtest.h>

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

using std::chrono::seconds;

const std::string kKey = "/v1/stores/main/keys/session";

class SlidingTtl : public testing::Test {
 protected:
  static ApiHarness::Options Sliding() {
    ApiHarness::Options options;
    options.sliding_ttl = seconds{100};
    return options;
  }
  ApiHarness api_{Sliding()};
};

TEST_F(SlidingTtl, AKeyThatIsReadLivesOn) {
  const std::string etag = api_.Send("PUT", kKey, {{"Holdfast-TTL", "100"}}, "1").Header("ETag");
  for (int i = 0; i < 5; ++i) {
    api_.clock().Advance(seconds{90});
    const Answer answer = api_.Send(i % 2 == 0 ? "GET" : "HEAD", kKey);
    ASSERT_EQ(200, answer.status) << i;
    EXPECT_EQ(etag, answer.Header("ETag"));
  }
  api_.clock().Advance(seconds{100});
  EXPECT_EQ(404, api_.Send("GET", kKey).status);
}

TEST_F(SlidingTtl, ALongerExpiryIsNeverShortened) {
  api_.Send("PUT", kKey, {{"Holdfast-TTL", "1000"}}, "1");
  api_.Send("GET", kKey);
  api_.clock().Advance(seconds{999});
  EXPECT_EQ(200, api_.Send("GET", kKey).status);
}

TEST_F(SlidingTtl, AKeyWithoutExpiryGetsNone) {
  api_.Send("PUT", kKey, {}, "1");
  api_.Send("GET", kKey);
  EXPECT_EQ("", api_.Send("GET", kKey).Header("Holdfast-Expires-At"));
}

TEST_F(SlidingTtl, ReadsInQuickSuccessionWriteOnce) {
  api_.Send("PUT", kKey, {{"Holdfast-TTL", "100"}}, "1");
  api_.clock().Advance(seconds{50});
  for (int i = 0; i < 3; ++i) api_.Send("GET", kKey);
  const auto rows = api_.Send("GET", "/v1/stores/main/hot-keys").Json().at("items");
  EXPECT_EQ(1, rows[0].at("writes")) << "the PUT; extending is the service's own doing";
  api_.clock().Advance(seconds{5});
  const std::string before = api_.Send("GET", kKey).Header("Holdfast-Expires-At");
  api_.clock().Advance(seconds{1});
  EXPECT_EQ(before, api_.Send("GET", kKey).Header("Holdfast-Expires-At"));
}

TEST(SlidingTtlOff, AReadChangesNothing) {
  ApiHarness api;
  api.Send("PUT", kKey, {{"Holdfast-TTL", "100"}}, "1");
  api.clock().Advance(seconds{90});
  EXPECT_EQ(200, api.Send("GET", kKey).status);
  api.clock().Advance(seconds{10});
  EXPECT_EQ(404, api.Send("GET", kKey).status);
}

}  // namespace
}  // namespace holdfast::api
