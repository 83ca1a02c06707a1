// GET, HEAD, PUT and DELETE of one key: the hot path. No JSON, and no look-up table built per request.
#include <fmt/format.h>

#include "base/time/duration.h"
#include "service/api/byte_range.h"
#include "service/api/entry_headers.h"
#include "service/api/handlers.h"
#include "service/api/operation_fields.h"
#include "service/api/read_consistency.h"
#include "service/api/sliding_ttl.h"
#include "service/api/submit.h"

namespace holdfast::api {
namespace {

using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

// If-Range holds for exactly the current version: strong comparison, and there are no modification dates.
ByteRange AskedRange(const RequestHeaders& headers, const storage::Entry& entry) {
  if (!headers.range || (headers.if_range && *headers.if_range != ETagOf(entry.version))) return {};
  return SelectBytes(*headers.range, entry.value.size());
}

void FailUnsatisfiable(Exchange& exchange, std::size_t size) {
  Problem problem =
      Problem::Of("invalid_argument",
                  fmt::format("Range: the value has {} bytes and none of those; ask for some that it has", size));
  problem.status = 416;
  problem.content_range = fmt::format("bytes */{}", size);
  exchange.Fail(problem);
}

Response PartResponse(storage::EntryPtr entry, const ByteRange& part) {
  const std::size_t size = entry->value.size();
  Response response = EntryResponse(std::move(entry));
  response.status = 206;
  response.headers.emplace_back("Content-Range",
                                fmt::format("bytes {}-{}/{}", part.first, part.first + part.length - 1, size));
  // A part that is all of it goes out without a copy, like the whole value.
  if (part.length < size) {
    response.content_type = ContentTypeOf(response);
    response.body = response.entry->value.substr(part.first, part.length);
    response.entry.reset();
  }
  return response;
}

void AnswerGet(Exchange& exchange, OperationResult& result) {
  if (!result.status.ok()) return exchange.Fail(OperationProblem(result));
  // A read inside a transaction is no reason to write outside of it.
  if (!exchange.headers().transaction) Slide(exchange, exchange.key(), *result.entry);
  const auto& if_none_match = exchange.headers().if_none_match;
  if (if_none_match) {
    const auto matches = MatchesIfNoneMatch(*if_none_match, result.version);
    if (!matches.ok()) return exchange.Fail(matches.error());
    if (*matches) {
      Response unchanged;
      unchanged.status = 304;
      unchanged.etag = result.version;
      return exchange.Send(std::move(unchanged));
    }
  }
  const ByteRange range = AskedRange(exchange.headers(), *result.entry);
  if (range.kind == ByteRange::Kind::kUnsatisfiable) return FailUnsatisfiable(exchange, result.entry->value.size());
  if (range.kind == ByteRange::Kind::kPart) return exchange.Send(PartResponse(std::move(result.entry), range));
  exchange.Send(EntryResponse(std::move(result.entry)));
}

void AnswerPut(Exchange& exchange, OperationResult& result) {
  if (!result.status.ok()) return exchange.Fail(OperationProblem(result));
  Response response;
  response.status = result.existed ? 204 : 201;
  response.etag = result.version;
  AddExpiresAt(result.expires_at, &response);
  exchange.Send(std::move(response));
}

void AnswerDelete(Exchange& exchange, OperationResult& result) {
  if (!result.status.ok()) return exchange.Fail(OperationProblem(result));
  Response response;
  response.status = 204;
  response.etag = result.version;
  exchange.Send(std::move(response));
}

// Everything of a PUT but key and value.
Status ReadPutHeaders(const Exchange& exchange, const RequestHeaders& headers, Operation* put) {
  HOLDFAST_ASSIGN_OR_RETURN(put->precondition, ParseWritePrecondition(headers.if_match, headers.if_none_match));
  if (headers.ttl) {
    auto expiry = ParseTtl(*headers.ttl);
    if (!expiry.ok()) return std::move(expiry).error().WithContext("Holdfast-TTL");
    put->expiry = *expiry;
  } else if (const auto ttl = exchange.store().ttls->default_ttl()) {
    put->expiry = storage::Expiry::After(*ttl);
  }
  if (headers.content_type) {
    HOLDFAST_RETURN_IF_ERROR(CheckContentType(*headers.content_type).WithContext("Content-Type"));
    put->content_type = *headers.content_type;
  }
  if (headers.metadata) {
    HOLDFAST_RETURN_IF_ERROR(CheckMetadata(*headers.metadata).WithContext("Holdfast-Metadata"));
    put->metadata = *headers.metadata;
  }
  if (headers.tags) {
    auto tags = ParseTags(*headers.tags);
    if (!tags.ok()) return std::move(tags).error().WithContext("Holdfast-Tags");
    put->tags = std::move(tags).value();
  }
  return {};
}

}  // namespace

void GetKey(ExchangePtr exchange) {
  const auto consistency = ReadConsistency(exchange->query());
  if (!consistency.ok()) return exchange->Fail(consistency.error());
  const auto min_version = ReadMinVersion(exchange->query());
  if (!min_version.ok()) return exchange->Fail(min_version.error());
  Precondition precondition;
  if (exchange->headers().if_match) {
    auto parsed = ParseIfMatch(*exchange->headers().if_match);
    if (!parsed.ok()) return exchange->Fail(parsed.error());
    precondition = std::move(parsed).value();
  }
  // Its form is checked even when the key turns out to be absent.
  if (const auto& if_none_match = exchange->headers().if_none_match) {
    const auto well_formed = MatchesIfNoneMatch(*if_none_match, 0);
    if (!well_formed.ok()) return exchange->Fail(well_formed.error());
  }
  Operation get = Operation::Get(exchange->store().ttls->sliding_ttl() ? exchange->key() : std::move(exchange->key()));
  get.precondition = std::move(precondition);
  get.consistency = *consistency;
  get.min_version = *min_version;
  SubmitOne(std::move(exchange), std::move(get), AnswerGet);
}

void PutKey(ExchangePtr exchange) {
  Operation put;
  put.kind = storage::OperationKind::kPut;
  const Status read = ReadPutHeaders(*exchange, exchange->headers(), &put);
  if (!read.ok()) return exchange->Fail(read.error());
  put.key = std::move(exchange->key());
  put.value = std::move(exchange->request().body);
  SubmitOne(std::move(exchange), std::move(put), AnswerPut);
}

void DeleteKey(ExchangePtr exchange) {
  auto precondition = ParseWritePrecondition(exchange->headers().if_match, exchange->headers().if_none_match);
  if (!precondition.ok()) return exchange->Fail(precondition.error());
  Operation remove = Operation::Delete(std::move(exchange->key()), std::move(precondition).value());
  SubmitOne(std::move(exchange), std::move(remove), AnswerDelete);
}

}  // namespace holdfast::api
