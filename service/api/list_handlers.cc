// Requests about many keys at once: list, count, delete by prefix.
#include "service/api/authorise.h"
#include "service/api/cursor_secret.h"
#include "service/api/handlers.h"
#include "service/api/item_json.h"
#include "service/api/key_walk.h"
#include "service/api/list_query.h"
#include "service/api/list_stream.h"
#include "service/api/submit.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kDefaultPage = 100;
// What a list with a filter or a delimiter reads at once.
constexpr std::size_t kStepEntries = 1'000;

// Writes what the walk finds into an answer, up to the limits of one page.
class PageVisitor final : public WalkVisitor {
 public:
  PageVisitor(const ListQuery& list, std::size_t max_bytes, json::DocumentWriter* out)
      : list_(list), max_bytes_(max_bytes), out_(out) {}

  bool OnItem(const storage::KeyedEntry& item) override {
    if (full()) return false;
    WriteItem(item.key, *item.entry, item.value_bytes, list_.values, out_);
    bytes_ += item.key.size() + item.entry->value.size();
    ++count_;
    return true;
  }
  bool OnPrefix(std::string_view prefix) override {
    if (full()) return false;
    prefixes_.emplace_back(prefix);
    bytes_ += prefix.size();
    ++count_;
    return true;
  }

  bool full() const { return count_ >= list_.limit || bytes_ >= max_bytes_; }
  std::size_t count() const { return count_; }
  const std::vector<std::string>& prefixes() const { return prefixes_; }

 private:
  const ListQuery& list_;
  const std::size_t max_bytes_;
  json::DocumentWriter* const out_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::string> prefixes_;
};

Result<std::optional<ListPosition>> ReadPosition(const Exchange& exchange, const ListQuery& list) {
  std::optional<ListPosition> position;
  if (list.cursor.empty()) return position;
  HOLDFAST_ASSIGN_OR_RETURN(const auto signer, exchange.context().cursor_secret->Signer(exchange.deadline()));
  position = signer->Decode(ScopeOf(exchange, list), list.cursor);
  if (!position) {
    return Error(ErrorCode::kInvalidArgument,
                 "the cursor does not belong to this list; go on with the same store, namespace, prefix, start, end, "
                 "order, delimiter and filter, or start again without a cursor");
  }
  return position;
}

// A list without filter and delimiter is one scan. Others read on until the page is full, or until so much has been
// examined that the client should hear how far it got.
Status FillPage(Exchange& exchange, const ListQuery& list, KeyWalk* walk, PageVisitor* page) {
  const bool sparse = list.filter.has_value() || !list.delimiter.empty();
  const std::size_t max_examined = exchange.context().options.max_examined_entries;
  do {
    exchange.tally().Count(Call::kScan);
    const std::size_t left = max_examined - walk->examined();
    const StepLimits limits{sparse ? std::min(kStepEntries, left) : list.limit, list.limit - page->count(), left};
    HOLDFAST_RETURN_IF_ERROR(walk->Step(exchange.keys(), limits, exchange.deadline(), page));
  } while (sparse && !walk->complete() && !page->full() && walk->examined() < max_examined);
  return {};
}

void AnswerList(Exchange& exchange, const ListQuery& list) {
  auto position = ReadPosition(exchange, list);
  if (!position.ok()) return exchange.Fail(position.error());
  KeyWalk walk(list, std::move(position).value());
  const auto out = exchange.NewWriter();
  PageVisitor page(list, exchange.limits().max_scan_bytes, out.get());
  out->BeginObject().Key("items").BeginArray();
  const Status filled = FillPage(exchange, list, &walk, &page);
  if (!filled.ok()) return exchange.Fail(filled.error());
  out->EndArray().Key("prefixes").BeginArray();
  for (const std::string& prefix : page.prefixes()) WriteCommonPrefix(prefix, out.get());
  out->EndArray();
  std::string cursor;
  if (!walk.complete() && walk.position()) {
    const auto signer = exchange.context().cursor_secret->Signer(exchange.deadline());
    if (!signer.ok()) return exchange.Fail(signer.error());
    cursor = (*signer)->Encode(ScopeOf(exchange, list), *walk.position());
  }
  out->Key("cursor").String(cursor).Key("complete").Bool(walk.complete()).EndObject();
  exchange.SendDocument(200, *out);
}

void AnswerStream(Exchange& exchange, const ListQuery& list) {
  auto position = ReadPosition(exchange, list);
  if (!position.ok()) return exchange.Fail(position.error());
  exchange.tally().Count(Call::kScan);
  const auto stream = std::make_shared<ListStream>(exchange, list, std::move(position).value(),
                                                   exchange.context().options.default_timeout);
  const Status first = stream->ReadFirst();
  if (!first.ok()) return exchange.Fail(first.error());
  Response response;
  response.content_type = "application/x-ndjson";
  response.stream = stream;
  exchange.Send(std::move(response));
}

void AnswerNumber(Exchange& exchange, std::string_view name, const Result<std::uint64_t>& number) {
  if (!number.ok()) return exchange.Fail(number.error());
  json::JsonWriter json;
  json.BeginObject().Key(name).Unsigned(*number).EndObject();
  exchange.SendJson(200, json.Take());
}

}  // namespace

void ListKeys(ExchangePtr exchange) {
  const bool lines = exchange->wants_lines();
  auto list = ReadListQuery(*exchange, lines ? 0 : kDefaultPage);
  if (!list.ok()) return exchange->Fail(list.error());
  if (list->values) {  // to list is not to read
    if (auto refused = CheckAllowed(*exchange, tenancy::Verb::kRead, list->prefix)) return exchange->Fail(*refused);
  }
  RunOnPool(std::move(exchange), [lines, list = std::move(list).value()](Exchange& running) {
    return lines ? AnswerStream(running, list) : AnswerList(running, list);
  });
}

void CountKeys(ExchangePtr exchange) {
  RunOnPool(std::move(exchange), [](Exchange& running) {
    running.tally().Count(Call::kCount);
    AnswerNumber(running, "count", running.keys().Count(PrefixRange(running.query()), running.deadline()));
  });
}

void DeleteKeys(ExchangePtr exchange) {
  const std::string* prefix = exchange->query().Find("prefix");
  const std::string* confirm = exchange->query().Find("confirm");
  if (prefix == nullptr) {
    return exchange->Fail("invalid_argument",
                          "the query parameter \"prefix\" is missing; to delete everything say prefix=&confirm=all");
  }
  if (confirm != nullptr && *confirm != "all") {
    return exchange->Fail("invalid_argument", "the query parameter \"confirm\" takes only \"all\"");
  }
  if (prefix->empty() && confirm == nullptr) {
    return exchange->Fail("invalid_argument", "an empty prefix means every key; to delete them all add confirm=all");
  }
  RunOnPool(std::move(exchange), [](Exchange& running) {
    running.tally().Count(Call::kDeleteRange);
    AnswerNumber(running, "deleted", running.keys().DeleteRange(PrefixRange(running.query()), running.deadline()));
  });
}

}  // namespace holdfast::api
