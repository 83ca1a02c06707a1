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
-- In two halves that fit a long of 32 bits: printing a double takes several times as long.
local function digits(number) return format('%08d%08d', number / 100000000, number % 100000000) end
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
// conditions, the conditions, the number of words of `then`; then the operations. Each operation and condition is its
// head and what that calls for. Six bytes of a head: a letter each for kind (c = condition), precondition and expiry,
// the place of the key in three bytes. Behind it, where the letter is a capital: the precondition's argument, the
// expiry's, and what is put (attributes with their length, value) or added to it (the summand).
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
-- The letters of heads: whatever is below the small letters has an argument.
local SMALL, NONE, KEEP, AFTER = 97, 110, 107, 65
local ABSENT, PRESENT, VERSION, VALUE, FENCE = 97, 112, 86, 69, 70
local GET, DELETE, TAKE, TOUCH, PUT, PACK, INCREMENT = 103, 100, 116, 115, 80, 90, 73

-- Of each key: its row as it stands, the same unless it has expired, and as the operations so far leave it.
local names, stored, live, next, changed, read = {}, {}, {}, {}, {}, 0
local count = tonumber(ARGV[9])
for i = 1, count do names[i] = entries .. ARGV[9 + i] end
for first = 1, count, @rows@ do
  local some = call('MGET', unpack(names, first, math.min(first + @rows@ - 1, count)))
  for i = 1, #some do
    local row, place = some[i], first + i - 1
    stored[place] = row
    if row then
      read = read + (packed(row) and value_at(row) + value_size(row, #row) or #row)
      if sub(row, 50, 65) ~= none and expired(row, now) then row = false end
    end
    live[place], next[place] = row, row
  end
  if count > 1 and read > @stored@ then return {'too large'} end
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

local function holds(current, kind, argument)
  if kind == NONE then return true end
  if kind == ABSENT then return not current end
  if kind == FENCE then return not current or at_most(sub(current, value_at(current)), argument) end
  if not current then return false end
  if kind == VERSION then return sub(current, 2, 17) == argument end
  if kind == VALUE then
    local at = value_at(current)
    if packed(current) then return sub(current, at + 11, at + 42) == sub(argument, 1, 32) end
    return sub(current, at) == sub(argument, 33)
  end
  return kind == PRESENT
end

local function expires(kind, argument, current)
  if kind == NONE then return none end
  if kind == KEEP then return current and sub(current, 50, 65) or none end
  if kind == AFTER then return digits(now + tonumber(argument)) end
  return argument
end

local function put(place, form, version, at, rest)
  local current = next[place]
  local created = current and sub(current, 18, 33) or now_digits
  next[place] = form .. digits(version) .. created .. now_digits .. at .. rest
  changed[place] = true
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

-- Of the operation or condition at a word: what its head says, its arguments, and where the next one begins.
local function parse(at)
  local kind, precondition, expiry, high, middle, low = byte(ARGV[at], 1, 6)
  local given, until_then
  at = at + 1
  if precondition < SMALL then given, at = ARGV[at], at + 1 end
  if expiry < SMALL then until_then, at = ARGV[at], at + 1 end
  return kind, (high * 256 + middle) * 256 + low, precondition, given, expiry, until_then, at
end

-- Gives where the next one begins, and false where a transaction has to end.
local function apply(at)
  local kind, place, precondition, given, expiry, until_then, behind = parse(at)
  if kind < SMALL then behind = behind + (kind == INCREMENT and 2 or 1) end
  local version
  if kind ~= GET then
    version = first_version + drawn
    drawn = drawn + 1
  end
  local current = next[place]
  if not holds(current, precondition, given) then return behind, false end
  if kind == PUT or kind == PACK then
    put(place, kind == PUT and '1' or '2', version, expires(expiry, until_then, current), ARGV[behind - 1])
  elseif kind == DELETE or kind == TAKE then
    if not current then return behind, kind == DELETE end
    next[place], changed[place] = false, true
  elseif kind == TOUCH then
    if not current then return behind, false end
    local at = expires(expiry, until_then, current)
    if at ~= sub(current, 50, 65) then
      next[place], changed[place] = sub(current, 1, 49) .. at .. sub(current, 66), true
    end
  elseif kind == INCREMENT then
    local sum = add(current and sub(current, value_at(current)) or '0', ARGV[behind - 1])
    if not sum then return behind, false end
    local attributes = current and sub(current, 66, value_at(current) - 1) or ARGV[behind - 2]
    put(place, '1', version, expires(expiry, until_then, current), attributes .. sum)
  end
  return behind, true
end

local at = 10 + count
if what == 'execute' then
  while at <= #ARGV do at = apply(at) end
elseif what == 'transact' then
  local held = true
  local conditions = tonumber(ARGV[at])
  at = at + 1
  for i = 1, conditions do
    local _, place, precondition, given, _, _, behind = parse(at)
    if not holds(next[place], precondition, given) then held = false end
    at = behind
  end
  local first = at + 1
  local behind = first + tonumber(ARGV[at])
  if not held then first, behind = behind, #ARGV + 1 end
  local applied = true
  while applied and first < behind do first, applied = apply(first) end
  if not applied then changed = {} end
else
  for i = 1, count do
    if stored[i] and not live[i] then
      next[i], changed[i] = false, true
    elseif not stored[i] then
      call('ZREM', expiry, ARGV[9 + i])
      call('ZREM', index, ARGV[9 + i])
    end
  end
end

-- Whoever is in step has time to read at least what one call logs.
local length = math.max(tonumber(ARGV[5]), count)
local direct = ARGV[4] ~= '' and ARGV[3] == stands[3] and tonumber(ARGV[4]) == position and
  call('HLEN', instances) == 1
local made, bytes, drew = 0, 0, false

local function log(place)
  made = made + 1
  if direct then return end
  position = position + 1
  call('XADD', changes, 'MAXLEN', '~', length, stands[2] .. '-' .. format('%.0f', position), 'k', ARGV[9 + place], 'c',
       ARGV[6], 'b', stored[place] or '', 'a', next[place] or '')
end

-- What grows comes first: a server without memory then refuses the call as a whole, and not a part of it.
local words, used = {}, 0
for i = 1, count do
  if changed[i] and next[i] then
    words[used + 1], words[used + 2] = names[i], next[i]
    used = used + 2
    if used == @words@ then
      call('MSET', unpack(words, 1, used))
      used = 0
    end
  end
end
if used > 0 then call('MSET', unpack(words, 1, used)) end
for i = 1, count do
  drew = drew or changed[i]
  if changed[i] and next[i] then
    local key, row, before = ARGV[9 + i], stored[i], none
    local after = sub(next[i], 50, 65)
    if row then
      before = sub(row, 50, 65)
      bytes = bytes - #row
    else
      call('ZADD', index, 0, key)
      bytes = bytes + #key
    end
    if after ~= before then
      if after == none then call('ZREM', expiry, key) else call('ZADD', expiry, after, key) end
    end
    bytes = bytes + #next[i]
    log(i)
  end
end
for i = 1, count do
  if changed[i] and not next[i] and (live[i] or sweeping) then
    local key = ARGV[9 + i]
    call('DEL', names[i])
    call('ZREM', index, key)
    if sub(stored[i], 50, 65) ~= none then call('ZREM', expiry, key) end
    bytes = bytes - #key - #stored[i]
    log(i)
  end
end
if drew then
  call('HSET', state, 'version', digits(first_version + drawn), 'position', format('%.0f', position))
  call('HINCRBY', state, 'bytes', format('%.0f', bytes))
end

local reply = {'done', now_digits, digits(first_version), direct and '1' or '0', stands[2],
               format('%.0f', position), made}
for i = 1, count do reply[7 + i] = stored[i] end
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
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
      text.replace(at, name.size(), std::to_string(number));
    }
  };
  fill("@stored@", kStoredBytesPerCall);
  fill("@rows@", kRowsPerRead);
  fill("@words@", kWordsPerWrite);
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
