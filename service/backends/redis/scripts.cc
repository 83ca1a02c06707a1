#include "service/backends/redis/scripts.h"

#include <fmt/format.h>

#include "service/backends/redis/archive_texts.h"
#include "service/backends/redis/write_texts.h"

namespace holdfast::storage::redis_backend {
namespace {

constexpr const char* kScan = R"lua(
local now = tonumber(ARGV[1]) or server_time()
local from, to = ARGV[2], ARGV[3]
local descending, keys_only = ARGV[4] == '1', ARGV[5] == '1'
local limit, most, found, used, left = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]),
  tonumber(ARGV[10])
local reply = {'0', false}
while true do
  local some = math.min(limit - found + 1, 256)
  local keys
  if descending then
    keys = call('ZRANGE', index, from, to, 'BYLEX', 'REV', 'LIMIT', 0, some)
  else
    keys = call('ZRANGE', index, from, to, 'BYLEX', 'LIMIT', 0, some)
  end
  for i = 1, #keys do
    local key = keys[i]
    local name = entries .. key
    local row = keys_only and call('GETRANGE', name, 0, 255) or call('GET', name)
    if row and #row > 0 and not expired(row, now) then
      local beginning = value_at(row) - 1
      local size = keys_only and call('STRLEN', name) or #row
      -- What stands before a packed value belongs to it.
      if size > #row and beginning + 11 > #row then row = call('GETRANGE', name, 0, beginning + 10) end
      size = value_size(row, size)
      if keys_only then row = sub(row, 1, beginning) end
      local bytes = #key + (keys_only and 0 or size)
      if found == limit or (found > 0 and used + bytes > most) then return reply end
      found, used = found + 1, used + bytes
      reply[#reply + 1] = {key, row, size}
    end
    from = '(' .. key
    left = left - 1
    if left == 0 then
      reply[2] = key
      return reply
    end
  end
  if #keys < some then
    reply[1] = '1'
    return reply
  end
end
)lua";

// Lua compares strings by the server's locale, ZRANGE BYLEX by their bytes.
constexpr const char* kCount = R"lua(
local now = tonumber(ARGV[1]) or server_time()
local function less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local live = call('ZLEXCOUNT', index, ARGV[2], ARGV[3])
local offset = 0
while true do
  local gone = call('ZRANGEBYSCORE', expiry, '-inf', digits(now), 'LIMIT', offset, 1000)
  for i = 1, #gone do
    if not less(gone[i], ARGV[4]) and (ARGV[5] ~= '1' or less(gone[i], ARGV[6])) then live = live - 1 end
  end
  if #gone < 1000 then return live end
  offset = offset + 1000
end
)lua";

constexpr const char* kExpired = R"lua(
local now = tonumber(ARGV[1]) or server_time()
return call('ZRANGEBYSCORE', expiry, '-inf', digits(now), 'LIMIT', 0, ARGV[2])
)lua";

// Whoever was silent for the timeout is taken out; the rest is what join and look have in common.
constexpr const char* kRegister = R"lua(
local time = server_time()
local function tidy(timeout)
  local all = call('HGETALL', instances)
  local least
  for i = 1, #all, 2 do
    local seen, read = string.match(all[i + 1], '^(%d+) (%d+)$')
    if not seen or tonumber(seen) < time - tonumber(timeout) then
      call('HDEL', instances, all[i])
    elseif not least or tonumber(read) < least then
      least = tonumber(read)
    end
  end
  return least
end
)lua";

// Data that was born anew is data that was lost: the locks in it were held, and their holders do not know. Whoever knew
// the data of before says until when its locks last; the others have the timeout to come and do the same.
//
// Another start of the server may have lost changes that were read, and their positions may be given again: positions
// belong to an epoch, and each start begins one.
constexpr const char* kJoin = R"lua(
local stands = call('HMGET', state, 'epoch', 'server', 'position', 'born', 'paused')
local epoch, position, born = stands[1], stands[3] or '0', stands[4]
if not born then
  born = digits(time) .. ' ' .. ARGV[1]
  call('HSET', state, 'born', born)
end
if ARGV[4] ~= '' and ARGV[4] ~= born then
  call('HSET', state, 'paused', digits(math.max(tonumber(stands[5]) or 0, time + tonumber(ARGV[3]), tonumber(ARGV[5]))))
end
if not epoch or stands[2] ~= ARGV[2] then
  epoch = format('%.0f', math.max(math.floor(time / 1000), (tonumber(epoch) or 0) + 1))
  call('HSET', state, 'epoch', epoch, 'server', ARGV[2], 'position', position)
end
tidy(ARGV[3])
call('HSET', instances, ARGV[1], digits(time) .. ' ' .. position)
return {epoch, tostring(call('HINCRBY', state, 'joins', 1)), position, born}
)lua";

constexpr const char* kLook = R"lua(
local here = call('HEXISTS', instances, ARGV[1])
local stands = call('HMGET', state, 'epoch', 'joins', 'position')
local row = ''
if here == 1 and ARGV[2] ~= '' then
  row = digits(time) .. ' ' .. ARGV[2]
  call('HSET', instances, ARGV[1], row)
  local least = tidy(ARGV[3])
  if least and stands[1] then call('XTRIM', changes, 'MINID', stands[1] .. '-' .. format('%.0f', least + 1)) end
end
return {tostring(here), tostring(call('HLEN', instances)), stands[1] or '', stands[2] or '', stands[3] or '0', row}
)lua";

constexpr const char* kReadChanges = R"lua(
local reply, bytes, position = {}, 0, ARGV[2]
while bytes < @change@ and #reply < 500 do
  local some = call('XRANGE', changes, '(' .. ARGV[1] .. '-' .. position, '+', 'COUNT', 1)
  if #some == 0 then break end
  reply[#reply + 1] = some[1]
  for i = 1, #some[1][2] do bytes = bytes + #some[1][2][i] end
  local epoch, place = string.match(some[1][1], '^(%d+)-(%d+)$')
  if epoch ~= ARGV[1] then break end
  position = place
end
return reply
)lua";

constexpr const char* kProbe = R"lua(
return call('HSET', state, 'probed', digits(server_time()))
)lua";

// Taking part has to work on a server without memory, or nobody could delete anything there.
constexpr const char* kAllowOom = "#!lua flags=allow-oom\n";

std::string Filled(std::string text) {
  const auto fill = [&](std::string_view name, std::uint64_t number) {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
      text.replace(at, name.size(), std::to_string(number));
    }
  };
  fill("@stored@", kStoredBytesPerCall);
  fill("@rows@", kRowsPerRead);
  fill("@words@", kWordsPerWrite);
  fill("@change@", kChangeBytesPerRead);
  fill("@row@", kArchivedRowBytes);
  fill("@part@", kArchivedPartBytes);
  return text;
}

redis::Script Make(const char* name, std::string_view first, std::string_view last, std::string_view flags = {}) {
  return {name, Filled(fmt::format("{}{}{}{}", flags, kCommonText, first, last))};
}

redis::Script MakeStep(const char* name, std::string_view last) {
  return Make(name, fmt::format("{}{}{}", kArchivesText, kKeepText, kStepText), last);
}

redis::Script MakeOfArchive(const char* name, std::string_view last) {
  return Make(name, fmt::format("{}{}", kArchivesText, kArchiveText), last, kAllowOom);
}

}  // namespace

Scripts::Scripts()
    : write(MakeStep("write", kWriteText)),
      put(MakeStep("put", kPutText)),
      scan(Make("scan", kScan, {})),
      count(Make("count", kCount, {})),
      expired(Make("expired", kExpired, {})),
      join(Make("join", kRegister, kJoin, kAllowOom)),
      look(Make("look", kRegister, kLook, kAllowOom)),
      read_changes(Make("read_changes", kReadChanges, {})),
      probe(Make("probe", kProbe, {})),
      begin_archive(MakeOfArchive("begin_archive", kBeginArchiveText)),
      read_archive(MakeOfArchive("read_archive", kReadArchiveText)),
      release_archive(MakeOfArchive("release_archive", kReleaseArchiveText)),
      claim_archive(MakeOfArchive("claim_archive", kClaimArchiveText)),
      yield_archive(MakeOfArchive("yield_archive", kYieldArchiveText)) {}

}  // namespace holdfast::storage::redis_backend
