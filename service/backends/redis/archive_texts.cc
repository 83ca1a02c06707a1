#include "service/backends/redis/archive_texts.h"

namespace holdfast::storage::redis_backend {

// Of `state`: `archives`, the names of the stores that have one, each between zero bytes; `archived`, the version up to
// which everything was kept for them, so that a program which knows of none gives itself away.
const char* const kArchivesText = R"lua(
local find, match = string.find, string.match
local function archive_row(store) return prefix .. 'archive:' .. store end
local function archive_rows(store) return prefix .. 'archived:' .. store end
local function between(store) return '\0' .. store .. '\0' end
local function give_up(store, why)
  call('UNLINK', archive_rows(store))
  call('HDEL', archive_row(store), 'token')
  call('HSET', archive_row(store), 'lost', why)
  local listed = call('HGET', state, 'archives') or ''
  local at, last = find(listed, between(store), 1, true)
  if not at then return end
  listed = sub(listed, 1, at) .. sub(listed, last + 1)
  if #listed > 1 then call('HSET', state, 'archives', listed) else call('HDEL', state, 'archives', 'archived') end
end
-- All of them; nil, as of `state` then.
local function give_up_all(listed, why)
  for store in string.gmatch(listed, '[^%z]+') do give_up(store, why) end
end
)lua";

// The changes of a step in as few rows as may be, since it is commands that cost. With how many bytes were written up
// to the step, so that releasing need not count.
const char* const kKeepText = R"lua(
local archives
local kept = {}
local function keep(key, after)
  local zero = find(key, '\0', 1, true)
  if not zero then return end
  local store = sub(key, 1, zero - 1)
  local rows = kept[store]
  if rows == nil then
    rows = find(archives, between(store), 1, true) and {} or false
    kept[store] = rows
  end
  if rows then
    rows[#rows + 1] = key
    rows[#rows + 1] = after
  end
end
local function archive_one(store, rows, at)
  local stands = call('HMGET', archive_row(store), 'step', 'written', 'released', 'limit')
  local written = tonumber(stands[2])
  for i = 1, #rows, 2 do written = written + #rows[i] + #rows[i + 1] + @row@ end
  if written - tonumber(stands[3]) > tonumber(stands[4]) then return give_up(store, 'buffer') end
  local step, total = format('%.0f', tonumber(stands[1]) + 1), format('%.0f', written)
  local words, used, bytes, part = {}, 0, 0, 0
  for i = 1, #rows, 2 do
    words[used + 1], words[used + 2] = rows[i], rows[i + 1]
    used, bytes = used + 2, bytes + #rows[i] + #rows[i + 1]
    if used == @words@ or bytes >= @part@ or i + 1 == #rows then
      part = part + 1
      call('XADD', archive_rows(store), step .. '-' .. part, 't', at, 'w', total, unpack(words, 1, used))
      used, bytes = 0, 0
    end
  end
  call('HSET', archive_row(store), 'step', step, 'written', total)
end
-- Behind all that is written: a server without memory has refused the call by then, or takes it as a whole.
local function archive_all(time, version)
  call('HSET', state, 'archived', version)
  for store, rows in pairs(kept) do
    if rows then archive_one(store, rows, digits(time)) end
  end
end
)lua";

const char* const kArchiveText = R"lua(
local store = ARGV[1]
local row, rows = archive_row(store), archive_rows(store)
do
  local stands = call('HMGET', state, 'archives', 'archived', 'version')
  if stands[1] and stands[2] ~= (stands[3] or '') then give_up_all(stands[1], 'unlogged') end
end
-- What tells one reign of a server from another: its process, and what it changes when it was a replica in between.
-- The last is not zeros when it was one; the one before it changes for harmless reasons, too, and they are zeros then.
local function reign()
  local info = call('INFO', 'server') .. call('INFO', 'replication')
  return match(info, 'run_id:(%x+)'), match(info, 'master_replid:(%x+)'),
    find(info, 'role:master', 1, true) and not match(info, 'master_replid2:0*[1-9a-f]')
end
)lua";

// Steps begin with the time, so that one of an archive of before, under whatever token, is never taken for one of
// these. Store, token if it is to be made anew, bytes that may wait, "1" when every acknowledged write is on the
// server's disk, "1" when it has to have this token.
const char* const kBeginArchiveText = R"lua(
local run, history = reign()
local stands = call('HMGET', row, 'token', 'step', 'run', 'history')
local token, step = stands[1], stands[2]
if not token or stands[3] ~= run or stands[4] ~= history or (ARGV[5] == '1' and token ~= ARGV[2]) then
  call('UNLINK', rows)
  token, step = ARGV[2], format('%.0f', server_time())
  call('HSET', row, 'token', token, 'step', step, 'written', '0', 'released', '0', 'behind', step, 'run', run,
       'history', history, 'durable', ARGV[4])
  local listed = call('HGET', state, 'archives') or '\0'
  if not find(listed, between(store), 1, true) then listed = listed .. store .. '\0' end
  call('HSET', state, 'archives', listed, 'archived', call('HGET', state, 'version') or '')
end
call('HSET', row, 'limit', ARGV[3])
return {token, step, digits(server_time())}
)lua";

// Store, token, id behind which to read, bytes wanted, "1" when every acknowledged write is on the server's disk.
const char* const kReadArchiveText = R"lua(
local stands = call('HMGET', row, 'token', 'step', 'behind', 'run', 'history', 'durable', 'lost')
if stands[1] ~= ARGV[2] then return {'gap', stands[7] or ''} end
local run, history, never_promoted = reign()
if run ~= stands[4] or (history ~= stands[5] and not never_promoted) then
  if not (never_promoted and stands[6] == '1' and ARGV[5] == '1') then
    give_up(store, 'restarted')
    return {'gap', 'restarted'}
  end
end
if run ~= stands[4] or history ~= stands[5] or stands[6] ~= ARGV[5] then
  call('HSET', row, 'run', run, 'history', history, 'durable', ARGV[5])
end
local from = ARGV[3]
local last = match(from, '^%d+')
if tonumber(last) > tonumber(stands[2]) then return {'gap', 'earlier'} end
if tonumber(last) < tonumber(stands[3]) then return {'gap', 'again'} end
local reply, bytes, wanted = {'end', digits(server_time())}, 0, tonumber(ARGV[4])
while true do
  local some = call('XRANGE', rows, '(' .. from, '+', 'COUNT', 1)[1]
  if not some then return reply end
  local step = match(some[1], '^%d+')
  if bytes >= wanted and step ~= last then
    reply[1] = 'step'
    return reply
  end
  if bytes >= @change@ then
    reply[1] = 'within'
    return reply
  end
  reply[#reply + 1] = some
  for i = 5, #some[2] do bytes = bytes + #some[2][i] end
  from, last = some[1], step
end
)lua";

// Store, token, the last step that is safe elsewhere.
const char* const kReleaseArchiveText = R"lua(
local stands = call('HMGET', row, 'token', 'behind')
if stands[1] ~= ARGV[2] or tonumber(ARGV[3]) <= tonumber(stands[2]) then return 0 end
local last = call('XREVRANGE', rows, ARGV[3], '-', 'COUNT', 1)[1]
if not last then return 0 end
call('HSET', row, 'behind', ARGV[3], 'released', last[2][4])
return call('XTRIM', rows, 'MINID', format('%.0f', tonumber(ARGV[3]) + 1))
)lua";

// Store, instance, bytes that may wait. Replies 1 when it is the one that ships.
const char* const kClaimArchiveText = R"lua(
local shipper = call('HGET', row, 'shipper')
if shipper and shipper ~= ARGV[2] and call('HEXISTS', instances, shipper) == 1 then return 0 end
call('HSET', row, 'shipper', ARGV[2], 'limit', ARGV[3])
return 1
)lua";

const char* const kYieldArchiveText = R"lua(
if call('HGET', row, 'shipper') == ARGV[2] then call('HDEL', row, 'shipper') end
return 0
)lua";

}  // namespace holdfast::storage::redis_backend
