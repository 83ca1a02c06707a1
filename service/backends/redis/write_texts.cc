#include "service/backends/redis/write_texts.h"

namespace holdfast::storage::redis_backend {

// Places in a record (entry_record.h): format 1, version 2-17, created 18-33, updated 34-49, expires 50-65, length of
// the attributes 66-73, attributes from 74, value. Of a packed value: codec 1, size 2-11, digest 12-43, bytes.
const char* const kCommonText = R"lua(
local prefix = KEYS[1]
local call, sub, byte, format = redis.call, string.sub, string.byte, string.format
local none = '0000000000000000'
local entries, index, expiry = prefix .. 'e:', prefix .. 'index', prefix .. 'expiry'
local state, changes, instances = prefix .. 'state', prefix .. 'changes', prefix .. 'instances'
-- In two halves that fit a long of 32 bits: printing a double takes several times as long.
local function digits(number) return format('%08d%08d', number / 100000000, number % 100000000) end
local function server_time()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end
local function number(record, from) return tonumber(sub(record, from, from + 15)) end
local function value_at(record) return 74 + tonumber(sub(record, 66, 73)) end
local function packed(record) return byte(record) == 50 end
-- Of a record of so many bytes, of which the beginning may be enough.
local function value_size(record, size)
  local at = value_at(record)
  if packed(record) then return tonumber(sub(record, at + 1, at + 10)) end
  return size - at + 1
end
local function expired(record, now)
  local at = number(record, 50)
  return at ~= 0 and at <= now
end
)lua";

const char* const kStepText = R"lua(
if call('HEXISTS', instances, ARGV[2]) == 0 then return {'joined not'} end
local stands = call('HMGET', state, 'version', 'epoch', 'joins', 'position', 'archives', 'archived')
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
-- Whoever is in step has time to read at least what one call logs.
local count = tonumber(ARGV[9])
local length = math.max(tonumber(ARGV[5]), count)
local direct = ARGV[4] ~= '' and ARGV[3] == stands[3] and tonumber(ARGV[4]) == position and
  call('HLEN', instances) == 1
local made = 0

archives = stands[5]
local function log(key, before, after)
  made = made + 1
  if archives then keep(key, after or '') end
  if direct then return end
  position = position + 1
  call('XADD', changes, 'MAXLEN', '~', length, stands[2] .. '-' .. format('%.0f', position), 'k', key, 'c', ARGV[6],
       'b', before or '', 'a', after or '')
end
-- Once something was written: so many versions were drawn, and the rows have so many bytes more.
local function finish(drawn, bytes)
  call('HSET', state, 'version', digits(first_version + drawn), 'position', format('%.0f', position))
  if bytes ~= 0 then call('HINCRBY', state, 'bytes', format('%.0f', bytes)) end
  if archives and stands[6] ~= (stands[1] or '') then
    -- A program that knows no archives has written.
    give_up_all(archives, 'unlogged')
  elseif archives then
    archive_all(time, digits(first_version + drawn))
  end
end
-- The rows come behind it.
local function answer()
  return {'done', now_digits, digits(first_version), direct and '1' or '0', stands[2], format('%.0f', position), made}
end
)lua";

const char* const kWriteText = R"lua(
local what, sweeping = ARGV[7], ARGV[7] == 'sweep'
local drawn = 0
-- The letters of heads: whatever is below the small letters has an argument.
local SMALL, NONE, KEEP, AFTER = 97, 110, 107, 65
local ABSENT, PRESENT, VERSION, VALUE, FENCE = 97, 112, 86, 69, 70
local GET, DELETE, TAKE, TOUCH, PUT, PACK, INCREMENT = 103, 100, 116, 115, 80, 90, 73

-- Of each key: its row as it stands, the same unless it has expired, and as the operations so far leave it.
local names, stored, live, next, changed, read = {}, {}, {}, {}, {}, 0
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

local bytes, drew = 0, false

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
    log(key, row, next[i])
  end
end
for i = 1, count do
  if changed[i] and not next[i] and (live[i] or sweeping) then
    local key = ARGV[9 + i]
    call('DEL', names[i])
    call('ZREM', index, key)
    if sub(stored[i], 50, 65) ~= none then call('ZREM', expiry, key) end
    bytes = bytes - #key - #stored[i]
    log(key, stored[i], nil)
  end
end
if drew then finish(drawn, bytes) end

local reply = answer()
for i = 1, count do reply[7 + i] = stored[i] end
return reply
)lua";

const char* const kPutText = R"lua(
local forms, names, rests = ARGV[10], 10, 10 + count
local since, fresh = now_digits .. none, now_digits
-- Versions that have all but the last digits in common are printed once.
local high, low = sub(digits(first_version), 1, 8), first_version % 100000000
local stored, words, used, read, bytes = {}, {}, 0, 0, 0
-- Places of what the indexes have to be told: new keys, and those that no longer expire.
local indexed, marked = {}, 0
for first = 1, count, @rows@ do
  local some = call('MGET', unpack(ARGV, names + first, names + math.min(first + @rows@ - 1, count)))
  for i = 1, #some do
    local row, place, created = some[i], first + i - 1, fresh
    stored[place] = row
    local plain = row and sub(row, 50, 65) == none
    if row then
      read = read + (packed(row) and value_at(row) + value_size(row, #row) or #row)
      bytes = bytes - #row
      if plain or not expired(row, now) then created = sub(row, 18, 33) end
    end
    if not plain then marked = marked + 1; indexed[marked] = place end
    local own = low + place - 1
    local version = own < 100000000 and high .. format('%08d', own) or digits(first_version + place - 1)
    local after = sub(forms, place, place) .. version .. created .. since .. ARGV[rests + place]
    bytes = bytes + #after
    words[used + 1], words[used + 2] = ARGV[names + place], after
    used = used + 2
  end
  if count > 1 and read > @stored@ then return {'too large'} end
end
-- What grows comes first, as above.
for first = 1, used, @words@ do call('MSET', unpack(words, first, math.min(first + @words@ - 1, used))) end
local behind = #entries + 1
for i = 1, marked do
  local place = indexed[i]
  local key = sub(ARGV[names + place], behind)
  if stored[place] then
    call('ZREM', expiry, key)
  else
    call('ZADD', index, 0, key)
    bytes = bytes + #key
  end
end
if direct and not archives then
  made = count
else
  for i = 1, count do log(sub(ARGV[names + i], behind), stored[i], words[2 * i]) end
end
finish(count, bytes)

local reply = answer()
for i = 1, count do reply[7 + i] = stored[i] end
return reply
)lua";

}  // namespace holdfast::storage::redis_backend
