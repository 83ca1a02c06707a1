// Parts of a value: Range and If-Range.
#include <gtest/gtest.h>

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kKey = "/v1/stores/main/keys/k";

class RangeTest : public testing::Test {
 protected:
  RangeTest() {
    etag_ = api_.Send("PUT", kKey, {{"Content-Type", "text/plain"}, {"Holdfast-TTL", "1h"}, {"Holdfast-Tags", "x"}},
                      "0123456789")
                .Header("ETag");
  }
  Answer Get(const HeaderList& headers) { return api_.Send("GET", kKey, headers); }
  void ExpectWhole(const HeaderList& headers) {
    const Answer whole = Get(headers);
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.body, "0123456789");
    EXPECT_EQ(whole.Header("Content-Range"), "");
  }

  ApiHarness api_;
  std::string etag_;
};

TEST_F(RangeTest, MemoryAPartIsAllThatIsSent) {
  const std::tuple<const char*, const char*, const char*> rows[] = {
      {"bytes=2-5", "2345", "bytes 2-5/10"},      {"bytes=5-", "56789", "bytes 5-9/10"},
      {"bytes=-3", "789", "bytes 7-9/10"},        {"bytes=8-99", "89", "bytes 8-9/10"},
      {"bytes=0-", "0123456789", "bytes 0-9/10"}, {"bytes=-99", "0123456789", "bytes 0-9/10"},
      {"bytes=0-0", "0", "bytes 0-0/10"},
  };
  for (const auto& [range, body, content_range] : rows) {
    const Answer part = Get({{"Range", range}});
    EXPECT_EQ(part.status, 206) << range;
    EXPECT_EQ(part.body, body) << range;
    EXPECT_EQ(part.Header("Content-Range"), content_range) << range;
  }
}

TEST_F(RangeTest, MemoryAPartHasTheHeadersOfTheWhole) {
  const Answer whole = Get({});
  const Answer part = Get({{"Range", "bytes=1-2"}});
  EXPECT_EQ(part.content_type, "text/plain");
  auto headers = part.headers;
  headers.erase("Content-Range");
  EXPECT_EQ(headers, whole.headers);
  EXPECT_EQ(part.Header("ETag"), etag_);
}

TEST_F(RangeTest, MemoryBehindTheEndIs416) {
  for (const char* range : {"bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999999999-"}) {
    const Answer refused = Get({{"Range", range}});
    EXPECT_EQ(refused.status, 416) << range;
    EXPECT_EQ(refused.Header("Content-Range"), "bytes */10") << range;
    EXPECT_EQ(refused.content_type, "application/problem+json");
    EXPECT_EQ(refused.Code(), "invalid_argument");
    EXPECT_EQ(refused.Json().at("status"), 416);
  }
}

TEST_F(RangeTest, MemoryWhatIsMalformedOrSeveralIsIgnored) {
  for (const char* range : {"bytes=5-2", "bytes=x-", "bytes=", "items=0-1", "bytes=0-1,3-4", "bytes=20-,30-"}) {
    SCOPED_TRACE(range);
    ExpectWhole({{"Range", range}});
  }
}

TEST_F(RangeTest, MemoryOfAnEmptyValue) {
  api_.Send("PUT", kKey, {}, "");
  const Answer refused = Get({{"Range", "bytes=0-"}});
  EXPECT_EQ(refused.status, 416);
  EXPECT_EQ(refused.Header("Content-Range"), "bytes */0");
  const Answer suffix = Get({{"Range", "bytes=-5"}});
  EXPECT_EQ(suffix.status, 200);
  EXPECT_EQ(suffix.body, "");
}

TEST_F(RangeTest, MemoryIfRangeHoldsForExactlyTheCurrentVersion) {
  const Answer part = Get({{"Range", "bytes=0-1"}, {"If-Range", etag_}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "01");
  for (const std::string& other :
       {std::string("W/").append(etag_), std::string("\"0\""), std::string("*"), std::string("nonsense"), std::string(),
        std::string("Sat, 21 Nov 2026 06:00:00 GMT")}) {
    SCOPED_TRACE(other);
    ExpectWhole({{"Range", "bytes=0-1"}, {"If-Range", other}});
    ExpectWhole({{"Range", "bytes=10-"}, {"If-Range", other}});
  }
  ExpectWhole({{"If-Range", etag_}});
}

TEST_F(RangeTest, MemoryIfRangeOfAVersionThatIsGoneGivesTheNewValue) {
  api_.Send("PUT", kKey, {}, "another");
  const Answer whole = Get({{"Range", "bytes=0-1"}, {"If-Range", etag_}});
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, "another");
}

TEST_F(RangeTest, MemoryOtherPreconditionsGoFirst) {
  EXPECT_EQ(Get({{"Range", "bytes=0-1"}, {"If-None-Match", etag_}}).status, 304);
  EXPECT_EQ(Get({{"Range", "bytes=99-"}, {"If-None-Match", etag_}}).status, 304);
  EXPECT_EQ(Get({{"Range", "bytes=0-1"}, {"If-None-Match", "\"0\""}}).status, 206);
  EXPECT_EQ(Get({{"Range", "bytes=0-1"}, {"If-Match", "\"0\""}}).status, 412);
  EXPECT_EQ(Get({{"Range", "bytes=0-1"}, {"If-Match", etag_}}).status, 206);
  EXPECT_EQ(api_.Send("GET", kKey + "-absent", {{"Range", "bytes=0-1"}}).status, 404);
}

// RFC 9110, 14.2: Range is defined for GET alone; a server ignores it with any other method.
TEST_F(RangeTest, MemoryHeadIgnoresIt) {
  for (const char* range : {"bytes=2-5", "bytes=99-", "bytes=-0"}) {
    const Answer whole = api_.Send("HEAD", kKey, {{"Range", range}, {"If-Range", etag_}});
    EXPECT_EQ(whole.status, 200) << range;
    EXPECT_EQ(whole.Header("Content-Range"), "") << range;
    EXPECT_EQ(whole.Header("ETag"), etag_) << range;
  }
}

TEST_F(RangeTest, MemoryGivenTwiceIsRefused) {
  EXPECT_EQ(Get({{"Range", "bytes=0-1"}, {"Range", "bytes=0-1"}}).status, 400);
}

TEST_F(RangeTest, MemoryElsewhereItIsIgnored) {
  const HeaderList range = {{"Range", "bytes=0-1"}, {"If-Range", etag_}};
  EXPECT_EQ(api_.Send("GET", "/v1/stores/main/keys", range).status, 200);
  EXPECT_EQ(api_.Send("PUT", kKey, range, "new").status, 204);
  const Answer taken = api_.Send("POST", kKey + "?action=take", range);
  EXPECT_EQ(taken.status, 200);
  EXPECT_EQ(taken.body, "new");
}

}  // namespace
}  // namespace holdfast::api
