// Lists of objects and of uploads: what is taken from them, where they go on, and what is no list.
#include "service/s3/listing.h"

#include <gmock/gmock.h>

namespace holdfast::s3 {
namespace {

using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

TEST(Listing, OfObjects) {
  const auto page = ReadObjects(
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t+1/=</NextContinuationToken>"
      "<Contents><Key>p%2Fa/1</Key><LastModified>2026-11-23T00:04:43.000Z</LastModified><Size>5</Size></Contents>"
      "</ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  ASSERT_THAT(page->items, SizeIs(1));
  EXPECT_EQ(page->items[0].key, "p/a/1");
  EXPECT_EQ(page->items[0].upload, "");
  EXPECT_EQ(page->items[0].bytes, 5u);
  EXPECT_EQ(page->items[0].modified_at, Timestamp{std::chrono::seconds{1'795'392'283}});
  EXPECT_THAT(page->next, UnorderedElementsAre(Pair("continuation-token", "t+1/=")));
}

TEST(Listing, OfUploads) {
  const auto page = ReadUploads(
      "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a%20b</NextKeyMarker>"
      "<NextUploadIdMarker>u</NextUploadIdMarker><Upload><Key>k</Key><UploadId>u</UploadId>"
      "<Initiated>2026-11-23T00:04:43.000Z</Initiated></Upload></ListMultipartUploadsResult>");
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  ASSERT_THAT(page->items, SizeIs(1));
  EXPECT_EQ(page->items[0].upload, "u");
  EXPECT_THAT(page->next, UnorderedElementsAre(Pair("key-marker", "a b"), Pair("upload-id-marker", "u")));
}

TEST(Listing, TheLastPageGoesNowhere) {
  EXPECT_THAT(ReadObjects("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")->next, IsEmpty());
  EXPECT_THAT(ReadUploads("<ListMultipartUploadsResult/>")->next, IsEmpty());
}

TEST(Listing, WhatIsNoListIsSaidToBeNone) {
  for (const char* wrong :
       {"<html>hello</html>", "", "<ListMultipartUploadsResult/>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a%</Key><LastModified>2026-11-23T00:04:43Z</LastModified><Size>1</Size>"
        "</Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><LastModified>2026-11-23T00:04:43Z</LastModified><Size>x</Size>"
        "</Contents></ListBucketResult>"}) {
    const auto page = ReadObjects(wrong);
    ASSERT_FALSE(page.ok()) << wrong;
    EXPECT_EQ(page.error().code(), ErrorCode::kUnavailable) << wrong;
  }
}

}  // namespace
}  // namespace holdfast::s3
