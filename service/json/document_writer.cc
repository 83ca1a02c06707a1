#include "service/json/document_writer.h"

#include "service/json/binary_writer.h"
#include "service/json/json_writer.h"

namespace holdfast::json {

std::unique_ptr<DocumentWriter> MakeWriter(Format format) {
  if (format == Format::kJson) return std::make_unique<JsonWriter>();
  return std::make_unique<BinaryWriter>(format);
}

std::string Transcode(std::string json, Format format) {
  if (format == Format::kJson) return json;
  BinaryWriter out(format);
  out.Raw(json);
  return out.Take();
}

}  // namespace holdfast::json
