// XML as S3 servers answer with it, over expat: elements and their text, no attributes, names without namespaces.
// Bounded in depth and number, and a document type is refused, so that no answer can expand. Pure, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::s3 {

inline constexpr std::size_t kMaxXmlDepth = 16;
inline constexpr std::size_t kMaxXmlElements = 100'000;

struct XmlElement {
  std::string name;
  std::string text;  // its own, without that of its children
  std::vector<XmlElement> children;

  // Of its first child of that name; empty when there is none.
  const std::string& TextOf(std::string_view child) const;
};

// The root. kInvalidArgument for what is no XML or beyond a limit.
Result<XmlElement> ParseXml(std::string_view text);

}  // namespace holdfast::s3
