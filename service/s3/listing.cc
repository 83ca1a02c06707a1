#include "service/s3/listing.h"

#include <fmt/format.h>

#include <charconv>

#include "base/http/http_client.h"
#include "base/time/duration.h"
#include "service/s3/xml.h"

namespace holdfast::s3 {
namespace {

Error Strange(std::string_view what) {
  return {ErrorCode::kUnavailable, fmt::format("the answer is no list of a bucket: {}", what)};
}

Result<XmlElement> Root(std::string_view body, std::string_view name) {
  Result<XmlElement> root = ParseXml(body);
  if (!root.ok()) return Strange(root.error().message());
  if (root->name != name) return Strange(fmt::format("it is no {}", name));
  return root;
}

Result<std::string> Decoded(const std::string& key) {
  const std::optional<std::string> decoded = http::PercentDecode(key);
  if (!decoded) return Strange("a key that is not encoded as we asked for");
  return *decoded;
}

Result<Listed> ReadItem(const XmlElement& element, std::string_view time) {
  Listed item;
  HOLDFAST_ASSIGN_OR_RETURN(item.key, Decoded(element.TextOf("Key")));
  const Result<Timestamp> when = ParseTimestamp(element.TextOf(time));
  if (!when.ok()) return Strange(fmt::format("no {} of an item", time));
  item.modified_at = *when;
  return item;
}

}  // namespace

Result<Page> ReadObjects(std::string_view body) {
  HOLDFAST_ASSIGN_OR_RETURN(const XmlElement root, Root(body, "ListBucketResult"));
  Page page;
  for (const XmlElement& element : root.children) {
    if (element.name != "Contents") continue;
    HOLDFAST_ASSIGN_OR_RETURN(Listed item, ReadItem(element, "LastModified"));
    const std::string& size = element.TextOf("Size");
    if (std::from_chars(size.data(), size.data() + size.size(), item.bytes).ec != std::errc()) {
      return Strange("an object without a size");
    }
    page.items.push_back(std::move(item));
  }
  if (root.TextOf("IsTruncated") != "true") return page;
  page.next["continuation-token"] = root.TextOf("NextContinuationToken");
  if (page.next["continuation-token"].empty()) return Strange("it is cut off and does not say where to go on");
  return page;
}

Result<Page> ReadUploads(std::string_view body) {
  HOLDFAST_ASSIGN_OR_RETURN(const XmlElement root, Root(body, "ListMultipartUploadsResult"));
  Page page;
  for (const XmlElement& element : root.children) {
    if (element.name != "Upload") continue;
    HOLDFAST_ASSIGN_OR_RETURN(Listed item, ReadItem(element, "Initiated"));
    item.upload = element.TextOf("UploadId");
    if (item.upload.empty()) return Strange("an upload without an id");
    page.items.push_back(std::move(item));
  }
  if (root.TextOf("IsTruncated") != "true") return page;
  HOLDFAST_ASSIGN_OR_RETURN(page.next["key-marker"], Decoded(root.TextOf("NextKeyMarker")));
  page.next["upload-id-marker"] = root.TextOf("NextUploadIdMarker");
  if (page.next["key-marker"].empty()) return Strange("it is cut off and does not say where to go on");
  return page;
}

}  // namespace holdfast::s3
