#include "service/s3/xml.h"

#include <expat.h>
#include <fmt/format.h>

#include <memory>

namespace holdfast::s3 {
namespace {

struct Freed {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

// What the parser's callbacks build. They are called by C: nothing may be thrown through it but for want of memory,
// which ends the process either way.
struct Building {
  XML_Parser parser = nullptr;
  XmlElement document;            // its only child is the root
  std::vector<XmlElement*> open;  // from the document to where we are; parents stay where they are meanwhile
  std::size_t elements = 0;
  std::string beyond;  // which limit

  void Stop(std::string why) {
    beyond = std::move(why);
    XML_StopParser(parser, XML_FALSE);
  }
};

void OnStart(void* data, const XML_Char* name, const XML_Char** /*attributes*/) {
  auto& building = *static_cast<Building*>(data);
  if (++building.elements > kMaxXmlElements) {
    return building.Stop(fmt::format("more than {} elements", kMaxXmlElements));
  }
  if (building.open.size() > kMaxXmlDepth) return building.Stop(fmt::format("more than {} levels", kMaxXmlDepth));
  const std::string_view whole(name);
  XmlElement element;
  element.name = whole.substr(whole.rfind(':') + 1);  // npos + 1 is 0
  // Only the last child of an open element is open, so that no open one is moved.
  building.open.back()->children.push_back(std::move(element));
  building.open.push_back(&building.open.back()->children.back());
}

void OnEnd(void* data, const XML_Char* /*name*/) {
  static_cast<Building*>(data)->open.pop_back();
}

void OnText(void* data, const XML_Char* text, int size) {
  static_cast<Building*>(data)->open.back()->text.append(text, static_cast<std::size_t>(size));
}

void OnDoctype(void* data, const XML_Char* /*name*/, const XML_Char* /*system*/, const XML_Char* /*public_id*/,
               int /*internal*/) {
  static_cast<Building*>(data)->Stop("a document type");
}

}  // namespace

const std::string& XmlElement::TextOf(std::string_view child) const {
  static const std::string none;
  for (const XmlElement& one : children) {
    if (one.name == child) return one.text;
  }
  return none;
}

Result<XmlElement> ParseXml(std::string_view text) {
  // Servers keep a slow answer alive with blanks in front of it.
  text.remove_prefix(std::min(text.find_first_not_of(" \r\n\t"), text.size()));
  const std::unique_ptr<std::remove_pointer_t<XML_Parser>, Freed> parser(XML_ParserCreate("UTF-8"));
  Building building;
  building.parser = parser.get();
  building.open.push_back(&building.document);
  XML_SetUserData(parser.get(), &building);
  XML_SetElementHandler(parser.get(), OnStart, OnEnd);
  XML_SetCharacterDataHandler(parser.get(), OnText);
  XML_SetStartDoctypeDeclHandler(parser.get(), OnDoctype);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE) != XML_STATUS_OK) {
    const std::string why = building.beyond.empty() ? XML_ErrorString(XML_GetErrorCode(parser.get())) : building.beyond;
    return Error(ErrorCode::kInvalidArgument, fmt::format("the answer is no XML that is taken: {}", why));
  }
  return std::move(building.document.children.front());
}

}  // namespace holdfast::s3
