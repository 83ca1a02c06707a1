// Answers of servers, whole and broken, and those that would have us build more than we want to.
#include "service/s3/xml.h"

#include <gmock/gmock.h>

namespace holdfast::s3 {
namespace {

using testing::HasSubstr;

std::string Repeat(const std::string& text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Xml, ElementsTextAndNamespaces) {
  const auto root = ParseXml(
      "\r\n <?xml version='1.0'?>\n<s:List xmlns:s='urn:x' a='1'><Key>a&amp;b&#x41;</Key><s:Item><Key>c</Key></s:Item>"
      "<Key>second</Key><Empty/></s:List>");
  ASSERT_TRUE(root.ok()) << root.error().ToString();
  EXPECT_EQ(root->name, "List");
  EXPECT_EQ(root->TextOf("Key"), "a&bA");
  EXPECT_EQ(root->children.at(1).TextOf("Key"), "c");
  EXPECT_EQ(root->TextOf("Empty"), "");
  EXPECT_EQ(root->TextOf("None"), "");
}

TEST(Xml, WhatIsNoneIsRefused) {
  for (const char* wrong : {"", "   ", "plain", "<a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", "{\"a\":1}"}) {
    EXPECT_EQ(ParseXml(wrong).error().code(), ErrorCode::kInvalidArgument) << wrong;
  }
}

TEST(Xml, NothingExpands) {
  const auto refused = ParseXml("<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;'>]><a>&d;</a>");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("document type"));
}

TEST(Xml, DepthAndNumberAreBounded) {
  EXPECT_TRUE(ParseXml(Repeat("<a>", kMaxXmlDepth) + Repeat("</a>", kMaxXmlDepth)).ok());
  const auto deep = ParseXml(Repeat("<a>", kMaxXmlDepth + 1) + Repeat("</a>", kMaxXmlDepth + 1));
  ASSERT_FALSE(deep.ok());
  EXPECT_THAT(deep.error().message(), HasSubstr("levels"));
  EXPECT_TRUE(ParseXml("<r>" + Repeat("<a/>", kMaxXmlElements - 1) + "</r>").ok());
  const auto many = ParseXml("<r>" + Repeat("<a/>", kMaxXmlElements) + "</r>");
  ASSERT_FALSE(many.ok());
  EXPECT_THAT(many.error().message(), HasSubstr("elements"));
}

}  // namespace
}  // namespace holdfast::s3
