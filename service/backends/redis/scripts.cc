#include "service/backends/redis/scripts.h"

#include <fmt/format.h>

namespace holdfast::storage::redis_backend {
namespace {

// Places in a record (entry_record.h): format 1, version 2-17, created 18-33, updated 34-49, expires 50-65, length of
// the attributes 66-73, attributes from 74, value. Of a packed value: codec 1, size 2-11, digest 12-43, bytes.
constexpr const char* kCommon = R"lua(
local prefix = KEYS[1]
local call, sub, byte, format = redis.call, string.sub, string.byte, string.format
local none = '0000000000000000'
local entries, index, expiry = prefix .. 'e:', prefix .. 'index', prefix .. 'expiry'
local state, changes, instances = prefix .. 'state', prefix .. 'changes', prefix .. 'instances'
local function digits(number) return format('%016.0f', number) end
local function number(record, from) return tonumber(sub(record, from, from + 15)) end
local function value_at(record) return 74 + tonumber(sub(record, 66, 73)) end
local function packed(record) return byte(record) == 50 end
-- Of a record of so many bytes, of which the beginning may be enough.
local function value_size(record, size)
  local at = value_at(record)
  if packed(record) then return tonumber(sub(record, at + 1, at + 10)) end
  return size - at + 1
end
local function server_time()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end
local function expired(record, now)
  local at = number(record, 50)
  return at ~= 0 and at <= now
end
)lua";

// Arguments: 1 clock, 2 instance, 3 joins and 4 position as they were when it was alone, or empty, 5 length of the
// stream, 6 cause, 7 what, 8 "1" when it takes a lock, 9 number of keys, the keys; of a transaction: the number of
// conditions, {key, precondition, its argument}..., the number of operations in `then`; then the operations {kind, key,
// precondition, its argument, expiry, its argument, attributes, value or summand}...
constexpr const char* kWrite = R"lua(
if call('HEXISTS', instances, ARGV[2]) == 0 then return {'joined not'} end
local stands = call('HMGET', state, 'version', 'epoch', 'joins', 'position')
if not stands[2] then return {'joined not'} end
local time = server_time()
local now = tonumber(ARGV[1]) or time
local now_digits = digits(now)
local first_version = math.max(time, (tonumber(stands[1]) or 0) + 1)
if ARGV[8] == '1' then
  local paused = tonumber(call('HGET', state, 'paused') or '0')
  if paused > time then return {'locks paused', tostring(math.ceil((paused - time) / 1000000))} end
end
local position = tonumber(stands[4]) or 0
local what, sweeping = ARGV[7], ARGV[7] == 'sweep'
local drawn = 0

local rows, read = {}, 0
local count = tonumber(ARGV[9])
for i = 1, count do
  local key = ARGV[9 + i]
  local name = entries .. key
  local stored = call('GET', name)
  local live = stored
  if stored then
    read = read + (packed(stored) and value_at(stored) + value_size(stored, #stored) or #stored)
    if sub(stored, 50, 65) ~= none and expired(stored, now) then live = false end
  end
  rows[i] = {key = key, name = name, stored = stored, live = live, next = live}
  if i > 1 and read > @stored@ then return {'too large'} end
end

local function at_most(text, bound)
  if not string.find(text, '^%d+$') then return false end
  text = string.gsub(text, '^0+', '')
  if #text > 20 then return false end
  text = string.rep('0', 20 - #text) .. text
  bound = string.rep('0', 20 - #bound) .. bound
  local high, most = tonumber(sub(text, 1, 10)), tonumber(sub(bound, 1, 10))
  if high ~= most then return high < most end
  return tonumber(sub(text, 11)) <= tonumber(sub(bound, 11))
end

local function holds(row, kind, argument)
  local current = row.next
  if kind == 'none' then return true end
  if kind == 'absent' then return not current end
  if kind == 'fence' then return not current or at_most(sub(current, value_at(current)), argument) end
  if not current then return false end
  if kind == 'version' then return sub(current, 2, 17) == argument end
  if kind == 'value' then
    local at = value_at(current)
    if packed(current) then return sub(current, at + 11, at + 42) == sub(argument, 1, 32) end
    return sub(current, at) == sub(argument, 33)
  end
  return kind == 'present'
end

local function expires(kind, argument, current)
  if kind == 'keep' then return current and sub(current, 50, 65) or none end
  if kind == 'after' then return digits(now + tonumber(argument)) end
  if kind == 'at' then return argument end
  return none
end

local function put(row, form, attributes, value, at, version)
  local created = row.next and sub(row.next, 18, 33) or now_digits
  row.next = form .. digits(version) .. created .. now_digits .. at .. format('%08d', #attributes) .. attributes .. value
  row.changed = true
end

-- Lua counts in doubles: what they cannot tell apart is left to INCRBY, which refuses to overflow.
local function add(value, by)
  if value ~= '0' and not string.find(value, '^%-?[1-9]%d*$') or #value > 20 then return nil end
  if #value <= 15 and #by <= 15 then return format('%.0f', tonumber(value) + tonumber(by)) end
  local scratch = prefix .. 'sum'
  call('SET', scratch, value)
  local sum = redis.pcall('INCRBY', scratch, by)
  local text = type(sum) == 'number' and call('GET', scratch)
  call('DEL', scratch)
  return text or nil
end

-- False where a transaction has to end.
local function apply(at)
  local kind, row = ARGV[at], rows[tonumber(ARGV[at + 1])]
  local version
  if kind ~= 'get' then
    version = first_version + drawn
    drawn = drawn + 1
  end
  if not holds(row, ARGV[at + 2], ARGV[at + 3]) then return false end
  local current = row.next
  if kind == 'get' then return true end
  if kind == 'put' or kind == 'pack' then
    put(row, kind == 'put' and '1' or '2', ARGV[at + 6], ARGV[at + 7], expires(ARGV[at + 4], ARGV[at + 5], current), version)
  elseif kind == 'delete' or kind == 'take' then
    if not current then return kind == 'delete' end
    row.next, row.changed = false, true
  elseif kind == 'touch' then
    if not current then return false end
    local until_then = expires(ARGV[at + 4], ARGV[at + 5], current)
    if until_then ~= sub(current, 50, 65) then
      row.next, row.changed = sub(current, 1, 49) .. until_then .. sub(current, 66), true
    end
  else
    local sum = add(current and sub(current, value_at(current)) or '0', ARGV[at + 7])
    if not sum then return false end
    local attributes = current and sub(current, 74, value_at(current) - 1) or ARGV[at + 6]
    put(row, '1', attributes, sum, expires(ARGV[at + 4], ARGV[at + 5], current), version)
  end
  return true
end

local at = 10 + count
if what == 'execute' then
  while at <= #ARGV do
    apply(at)
    at = at + 8
  end
elseif what == 'transact' then
  local held = true
  local conditions = tonumber(ARGV[at])
  at = at + 1
  for i = 1, conditions do
    if not holds(rows[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]) then held = false end
    at = at + 3
  end
  local first = at + 1
  local behind = first + 8 * tonumber(ARGV[at])
  if not held then first, behind = behind, #ARGV + 1 end
  while first < behind do
    if not apply(first) then
      for i = 1, count do rows[i].changed = false end
      break
    end
    first = first + 8
  end
else
  for i = 1, count do
    local row = rows[i]
    if row.stored and not row.live then
      row.next, row.changed = false, true
    elseif not row.stored then
      call('ZREM', expiry, row.key)
      call('ZREM', index, row.key)
    end
  end
end

-- Whoever is in step has time to read at least what one call logs.
local length = math.max(tonumber(ARGV[5]), count)
local direct = ARGV[4] ~= '' and ARGV[3] == stands[3] and tonumber(ARGV[4]) == position and
  call('HLEN', instances) == 1
local made, bytes, drew = 0, 0, false

local function log(row)
  made = made + 1
  if direct then return end
  position = position + 1
  call('XADD', changes, 'MAXLEN', '~', length, stands[2] .. '-' .. format('%.0f', position), 'k', row.key, 'c',
       ARGV[6], 'b', row.stored or '', 'a', row.next or '')
end

-- What grows comes first: a server without memory then refuses the call as a whole, and not a part of it.
for i = 1, count do
  local row = rows[i]
  drew = drew or row.changed
  if row.changed and row.next then
    local stored, next = row.stored, row.next
    local before, after = stored and sub(stored, 50, 65) or none, sub(next, 50, 65)
    call('SET', row.name, next)
    if not stored then
      call('ZADD', index, 0, row.key)
      bytes = bytes + #row.key
    end
    if after == none and before ~= none then
      call('ZREM', expiry, row.key)
    elseif after ~= before then
      call('ZADD', expiry, after, row.key)
    end
    bytes = bytes + #next - (stored and #stored or 0)
    log(row)
  end
end
for i = 1, count do
  local row = rows[i]
  if row.changed and not row.next and (row.live or sweeping) then
    call('DEL', row.name)
    call('ZREM', index, row.key)
    if sub(row.stored, 50, 65) ~= none then call('ZREM', expiry, row.key) end
    bytes = bytes - #row.key - #row.stored
    log(row)
  end
end
if drew then
  call('HSET', state, 'version', digits(first_version + drawn), 'position', format('%.0f', position))
  call('HINCRBY', state, 'bytes', format('%.0f', bytes))
end

local reply = {'done', now_digits, digits(first_version), direct and '1' or '0', stands[2],
               format('%.0f', position), made}
for i = 1, count do reply[7 + i] = rows[i].stored end
return reply
)lua";

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
    if (const std::size_t at = text.find(name); at != std::string::npos) {
      text.replace(at, name.size(), std::to_string(number));
    }
  };
  fill("@stored@", kStoredBytesPerCall);
  fill("@change@", kChangeBytesPerRead);
  return text;
}

redis::Script Make(const char* name, std::string_view first, std::string_view last, std::string_view flags = {}) {
  return {name, Filled(fmt::format("{}{}{}{}", flags, kCommon, first, last))};
}

}  // namespace

Scripts::Scripts()
    : write(Make("write", kWrite, {})),
      scan(Make("scan", kScan, {})),
      count(Make("count", kCount, {})),
      expired(Make("expired", kExpired, {})),
      join(Make("join", kRegister, kJoin, kAllowOom)),
      look(Make("look", kRegister, kLook, kAllowOom)),
      read_changes(Make("read_changes", kReadChanges, {})),
      probe(Make("probe", kProbe, {})) {}

}  // namespace holdfast::storage::redis_backend
