// GET /hot-keys: what was asked for most in the last minutes, within the caller's namespace.
#include "base/time/duration.h"
#include "service/api/encoding.h"
#include "service/api/handlers.h"
#include "service/api/list_limit.h"
#include "service/hot_keys/hot_keys.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kDefaultLimit = 10;
constexpr std::size_t kMaxLimit = 1000;

}  // namespace

void GetHotKeys(ExchangePtr exchange) {
  const auto limit = ReadLimit(exchange->query(), kDefaultLimit, kMaxLimit);
  if (!limit.ok()) return exchange->Fail(limit.error());
  const storage::KeySpace& space = exchange->tenant().key_space;
  hot_keys::HotKeys& counts = *exchange->store().hot_keys;
  json::JsonWriter json;
  json.BeginObject().Key("items").BeginArray();
  for (const hot_keys::HotKey& row : counts.Top(space.prefix(), *limit)) {
    const std::string_view key = space.Unwrap(row.key);
    const bool is_text = IsValidUtf8(key);
    json.BeginObject().Key("key").String(is_text ? key : Base64Encode(key));
    if (!is_text) json.Key("encoding").String("base64");
    json.Key("reads").Unsigned(row.reads).Key("writes").Unsigned(row.writes).EndObject();
  }
  json.EndArray().Key("window").String(FormatDuration(hot_keys::kWindow * hot_keys::kWindows));
  json.Key("sampled_one_in").Unsigned(counts.sample()).EndObject();
  exchange->SendJson(200, json.Take());
}

}  // namespace holdfast::api
