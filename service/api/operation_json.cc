#include "service/api/operation_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/entry_headers.h"
#include "service/api/nearest_name.h"
#include "service/api/operation_fields.h"
#include "service/api/submit.h"

namespace holdfast::api {
namespace {

using storage::Condition;
using storage::Expiry;
using storage::Operation;
using storage::OperationKind;
using storage::Precondition;
using Kind = json::JsonValue::Kind;

constexpr std::array<std::string_view, 11> kOperationMembers = {
    "op", "key", "value", "encoding", "ttl", "content_type", "metadata", "tags", "if_match", "if_none_match", "by"};
constexpr std::array<std::string_view, 5> kConditionMembers = {"key", "etag", "exists", "value", "encoding"};
constexpr std::array<OperationKind, 6> kKinds = {OperationKind::kGet,    OperationKind::kPut,
                                                 OperationKind::kDelete, OperationKind::kTake,
                                                 OperationKind::kTouch,  OperationKind::kIncrement};

Error Invalid(std::string_view where, std::string_view message) {
  return {ErrorCode::kInvalidArgument, fmt::format("{}: {}", where, message)};
}

// One object, read member by member; remembers where it stands for the messages.
class Reader {
 public:
  Reader(json::JsonValue& object, std::string where) : object_(object), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  bool Has(std::string_view name) const { return object_.Find(name) != nullptr; }

  Error Wrong(std::string_view name, std::string_view message) const {
    return Invalid(fmt::format("{}.{}", where_, name), message);
  }
  Result<json::JsonValue*> Find(std::string_view name, Kind kind) {
    json::JsonValue* value = object_.Find(name);
    if (value == nullptr) return Wrong(name, "is missing");
    if (value->kind != kind) {
      return Wrong(name, fmt::format("is {}; write {}", json::KindName(value->kind), json::KindName(kind)));
    }
    return value;
  }
  Result<std::string*> String(std::string_view name) {
    HOLDFAST_ASSIGN_OR_RETURN(json::JsonValue * value, Find(name, Kind::kString));
    return &value->text;
  }
  Result<bool> IsBase64() {
    if (!Has("encoding")) return false;
    HOLDFAST_ASSIGN_OR_RETURN(const std::string* encoding, String("encoding"));
    if (*encoding == "base64") return true;
    if (*encoding == "utf-8") return false;
    return Wrong("encoding", "is neither \"base64\" nor \"utf-8\"");
  }
  // Of a key or a value: bytes where the format has them, else a string.
  Result<std::string> Bytes(std::string_view name, bool base64) {
    json::JsonValue* value = object_.Find(name);
    if (value != nullptr && value->kind == Kind::kBytes) {
      if (base64) return Wrong("encoding", "is base64, but bytes stand as they are in this format; leave it out");
      return std::move(value->text);
    }
    HOLDFAST_ASSIGN_OR_RETURN(std::string * text, String(name));
    if (!base64) return std::move(*text);
    auto bytes = Base64Decode(*text);
    if (!bytes) return Wrong(name, "is not base64 (standard alphabet, with padding)");
    return std::move(*bytes);
  }

 private:
  json::JsonValue& object_;
  std::string where_;
};

Result<OperationKind> ReadKind(Reader& reader) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::string* name, reader.String("op"));
  std::array<std::string_view, kKinds.size()> names;
  std::transform(kKinds.begin(), kKinds.end(), names.begin(), storage::OperationKindName);
  const auto found = std::find(names.begin(), names.end(), *name);
  if (found == names.end()) {
    return reader.Wrong("op", fmt::format("unknown operation \"{}\"{}", *name, NearestHint(*name, names)));
  }
  return kKinds[static_cast<std::size_t>(found - names.begin())];
}

// Members that mean nothing to the operation are refused: the client would wait in vain for their effect.
Status CheckApplicable(const Reader& reader, OperationKind kind) {
  const bool put = kind == OperationKind::kPut;
  const bool touch = kind == OperationKind::kTouch;
  const bool increment = kind == OperationKind::kIncrement;
  const std::pair<std::string_view, bool> rows[] = {
      {"value", put},
      {"content_type", put},
      {"metadata", put},
      {"tags", put},
      {"by", increment},
      {"ttl", put || touch || increment},
      {"if_none_match", put || increment},
  };
  for (const auto& [name, applies] : rows) {
    if (!applies && reader.Has(name)) {
      return reader.Wrong(name, fmt::format("has no meaning for a {}; leave it out", storage::OperationKindName(kind)));
    }
  }
  return {};
}

Result<Precondition> ReadPrecondition(Reader& reader) {
  if (reader.Has("if_match") && reader.Has("if_none_match")) {
    return reader.Wrong("if_match", "contradicts if_none_match; give one of them");
  }
  if (reader.Has("if_match")) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string* text, reader.String("if_match"));
    // The ETag as lists and batches give it (7), or as the header has it ("7").
    const bool bare = !text->empty() && *text != "*" && text->front() != '"';
    auto parsed = ParseIfMatch(bare ? fmt::format("\"{}\"", *text) : *text);
    if (!parsed.ok()) return reader.Wrong("if_match", "is neither one ETag as a read gave it nor \"*\"");
    return parsed;
  }
  if (reader.Has("if_none_match")) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string* text, reader.String("if_none_match"));
    if (*text != "*") return reader.Wrong("if_none_match", "takes only \"*\" (create only)");
    return Precondition::Absent();
  }
  return Precondition::None();
}

Result<Expiry> ReadExpiry(Reader& reader, OperationKind kind, const storage::Store& store) {
  if (!reader.Has("ttl")) {
    if (kind == OperationKind::kTouch) return reader.Wrong("ttl", "is missing; a touch sets the expiry");
    if (kind == OperationKind::kIncrement) return Expiry::Keep();
    const auto ttl = store.ttls->default_ttl();
    return kind == OperationKind::kPut && ttl ? Expiry::After(*ttl) : Expiry::Never();
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::string* text, reader.String("ttl"));
  auto expiry = ParseTtl(*text);
  if (!expiry.ok()) return reader.Wrong("ttl", expiry.error().message());
  return expiry;
}

Result<std::vector<std::string>> ReadTags(Reader& reader) {
  HOLDFAST_ASSIGN_OR_RETURN(json::JsonValue * list, reader.Find("tags", Kind::kArray));
  std::vector<std::string> tags;
  for (json::JsonValue& item : list->items) {
    if (item.kind != Kind::kString) return reader.Wrong("tags", "holds something other than strings");
    const Status valid = CheckTag(item.text);
    if (!valid.ok()) return reader.Wrong("tags", valid.error().message());
    tags.push_back(std::move(item.text));
  }
  return tags;
}

Status ReadPutFields(Reader& reader, bool base64, Operation* put) {
  HOLDFAST_ASSIGN_OR_RETURN(put->value, reader.Bytes("value", base64));
  if (reader.Has("content_type")) {
    HOLDFAST_ASSIGN_OR_RETURN(std::string * type, reader.String("content_type"));
    const Status valid = CheckContentType(*type);
    if (!valid.ok()) return reader.Wrong("content_type", valid.error().message());
    put->content_type = std::move(*type);
  }
  if (reader.Has("metadata")) {
    HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue* metadata, reader.Find("metadata", Kind::kObject));
    if (json::HoldsBytes(*metadata))
      return reader.Wrong("metadata", "holds a byte string; metadata is JSON, send text");
    put->metadata = metadata->ToText();
  }
  if (reader.Has("tags")) {
    HOLDFAST_ASSIGN_OR_RETURN(put->tags, ReadTags(reader));
  }
  return {};
}

Result<ParsedOperation> ParseOperation(json::JsonValue& json, std::string where, const storage::Store& store) {
  if (json.kind != Kind::kObject)
    return Invalid(where, fmt::format("is {}; write an object", json::KindName(json.kind)));
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kOperationMembers, where));
  Reader reader(json, std::move(where));
  ParsedOperation parsed;
  Operation& operation = parsed.operation;
  HOLDFAST_ASSIGN_OR_RETURN(operation.kind, ReadKind(reader));
  HOLDFAST_RETURN_IF_ERROR(CheckApplicable(reader, operation.kind));
  HOLDFAST_ASSIGN_OR_RETURN(parsed.base64, reader.IsBase64());
  HOLDFAST_ASSIGN_OR_RETURN(operation.key, reader.Bytes("key", parsed.base64));
  HOLDFAST_ASSIGN_OR_RETURN(operation.precondition, ReadPrecondition(reader));
  HOLDFAST_ASSIGN_OR_RETURN(operation.expiry, ReadExpiry(reader, operation.kind, store));
  if (operation.kind == OperationKind::kTouch && operation.expiry.kind == Expiry::Kind::kKeep) {
    return reader.Wrong("ttl", "keep would change nothing; write a duration or none");
  }
  if (operation.kind == OperationKind::kPut) {
    HOLDFAST_RETURN_IF_ERROR(ReadPutFields(reader, parsed.base64, &operation));
  }
  if (reader.Has("by")) {
    HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue* by, reader.Find("by", Kind::kInteger));
    operation.by = by->integer;
  }
  return parsed;
}

Result<Condition> ParseCondition(json::JsonValue& json, std::string where) {
  if (json.kind != Kind::kObject)
    return Invalid(where, fmt::format("is {}; write an object", json::KindName(json.kind)));
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kConditionMembers, where));
  Reader reader(json, std::move(where));
  const int given = int{reader.Has("etag")} + int{reader.Has("exists")} + int{reader.Has("value")};
  if (given != 1) return Invalid(reader.where(), "give exactly one of etag, exists and value");
  Condition condition;
  HOLDFAST_ASSIGN_OR_RETURN(const bool base64, reader.IsBase64());
  HOLDFAST_ASSIGN_OR_RETURN(condition.key, reader.Bytes("key", base64));
  if (reader.Has("etag")) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string* text, reader.String("etag"));
    auto parsed = ParseIfMatch(text->starts_with('"') ? *text : fmt::format("\"{}\"", *text));
    if (!parsed.ok()) return reader.Wrong("etag", "is not one ETag as a read gave it");
    condition.precondition = std::move(parsed).value();
  } else if (reader.Has("exists")) {
    HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue* exists, reader.Find("exists", Kind::kBool));
    condition.precondition = exists->boolean ? Precondition::Present() : Precondition::Absent();
  } else {
    HOLDFAST_ASSIGN_OR_RETURN(std::string value, reader.Bytes("value", base64));
    condition.precondition = Precondition::ValueIs(std::move(value));
  }
  return condition;
}

Status CheckArray(const json::JsonValue& json, std::string_view where, std::size_t maximum) {
  if (json.kind != Kind::kArray) return Invalid(where, fmt::format("is {}; write an array", json::KindName(json.kind)));
  if (json.items.size() > maximum) {
    return Invalid(where,
                   fmt::format("holds {} items; the limit is {}; send several requests", json.items.size(), maximum));
  }
  return {};
}

void WriteValue(std::string_view value, bool base64, json::DocumentWriter* out) {
  base64 = !out->has_bytes() && (base64 || !IsValidUtf8(value));
  out->Key("value");
  if (base64) {
    out->String(Base64Encode(value)).Key("encoding").String("base64");
  } else {
    out->Bytes(value);
  }
}

void WriteEntry(const storage::Entry& entry, bool base64, json::DocumentWriter* out) {
  WriteValue(entry.value, base64, out);
  out->Key("content_type").String(entry.content_type.empty() ? kDefaultContentType : entry.content_type);
  if (!entry.metadata.empty()) out->Key("metadata").Raw(entry.metadata);
  if (!entry.tags.empty()) {
    out->Key("tags").BeginArray();
    for (const std::string& tag : entry.tags) out->String(tag);
    out->EndArray();
  }
  if (entry.expires_at) out->Key("expires_at").String(FormatTimestamp(*entry.expires_at));
}

int SuccessStatus(OperationKind kind, bool existed) {
  switch (kind) {
    case OperationKind::kPut:
      return existed ? 204 : 201;
    case OperationKind::kDelete:
    case OperationKind::kTouch:
      return 204;
    default:
      return 200;
  }
}

}  // namespace

Status CheckMembers(const json::JsonValue& object, std::span<const std::string_view> known, std::string_view where) {
  for (const std::string& name : object.names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Invalid(where, fmt::format("unknown member \"{}\"{}", name, NearestHint(name, known)));
    }
  }
  return {};
}

Result<std::vector<ParsedOperation>> ParseOperations(json::JsonValue& json, std::string_view where,
                                                     const storage::Store& store, std::size_t max_operations) {
  HOLDFAST_RETURN_IF_ERROR(CheckArray(json, where, max_operations));
  std::vector<ParsedOperation> operations;
  operations.reserve(json.items.size());
  for (std::size_t i = 0; i < json.items.size(); ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(auto parsed, ParseOperation(json.items[i], fmt::format("{}[{}]", where, i), store));
    operations.push_back(std::move(parsed));
  }
  return operations;
}

Result<std::vector<Condition>> ParseConditions(json::JsonValue& json, std::string_view where,
                                               std::size_t max_conditions) {
  HOLDFAST_RETURN_IF_ERROR(CheckArray(json, where, max_conditions));
  std::vector<Condition> conditions;
  for (std::size_t i = 0; i < json.items.size(); ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(auto parsed, ParseCondition(json.items[i], fmt::format("{}[{}]", where, i)));
    conditions.push_back(std::move(parsed));
  }
  return conditions;
}

void WriteResult(OperationKind kind, bool base64, const storage::OperationResult& result, json::DocumentWriter* out) {
  if (!result.status.ok()) return WriteFailure(OperationProblem(result), out);
  out->BeginObject().Key("status").Integer(SuccessStatus(kind, result.existed));
  if (result.version != 0) out->Key("etag").String(std::to_string(result.version));
  if (kind == OperationKind::kGet || kind == OperationKind::kTake) {
    WriteEntry(*result.entry, base64, out);
  } else {
    if (kind == OperationKind::kIncrement) out->Key("value").Integer(result.number);
    if (result.expires_at) out->Key("expires_at").String(FormatTimestamp(*result.expires_at));
  }
  out->EndObject();
}

void WriteFailure(const Problem& problem, json::DocumentWriter* out) {
  out->BeginObject().Key("status").Integer(problem.http_status());
  if (problem.current_version != 0) out->Key("etag").String(std::to_string(problem.current_version));
  out->Key("error").BeginObject().Key("code").String(problem.kind->code);
  out->Key("detail").String(IsValidUtf8(problem.detail) ? problem.detail : Base64Encode(problem.detail));
  out->Key("retryable").Bool(problem.kind->retryable).EndObject().EndObject();
}

}  // namespace holdfast::api
