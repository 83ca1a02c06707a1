-- Arguments: KIND KEYS. Asks for keys bench/0 .. bench/KEYS-1 in an order that jumps about. KIND is GET, PUT (100 bytes),
-- ETCD_RANGE or ETCD_PUT: the same in the words of etcd's JSON gateway, whose keys and values are base64; WEBDIS_GET or
-- WEBDIS_SET: in those of webdis, which takes a slash for the end of a word, and the answer as Redis gives it.
-- All requests are formatted once, so that the generator costs every server under test the same.
local requests = {}
local position = 0
local threads = 0
local VALUE = string.rep("x", 100)
local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(bytes)
  local text = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    for place, divisor in ipairs({262144, 4096, 64, 1}) do
      local digit = math.floor(bits / divisor) % 64 + 1
      local beyond = (place == 3 and not b) or (place == 4 and not c)
      text[#text + 1] = beyond and "=" or DIGITS:sub(digit, digit)
    end
  end
  return table.concat(text)
end

local function format(kind, key)
  if kind == "ETCD_PUT" then
    local body = '{"key":"' .. base64(key) .. '","value":"' .. base64(VALUE) .. '"}'
    return wrk.format("POST", wrk.path .. "put", nil, body)
  end
  if kind == "ETCD_RANGE" then return wrk.format("POST", wrk.path .. "range", nil, '{"key":"' .. base64(key) .. '"}') end
  local word = key:gsub("/", "%%2F")
  if kind == "WEBDIS_GET" then return wrk.format("GET", wrk.path .. "GET/" .. word .. ".raw") end
  if kind == "WEBDIS_SET" then return wrk.format("PUT", wrk.path .. "SET/" .. word .. ".raw", nil, VALUE) end
  return wrk.format(kind, wrk.path .. key, nil, kind == "PUT" and VALUE or nil)
end

function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end

function init(arguments)
  local kind, keys = arguments[1], tonumber(arguments[2])
  for number = 0, keys - 1 do
    -- 7919 is prime to every number of keys used here: each key comes once per turn.
    requests[number + 1] = format(kind, "bench/" .. (number * 7919) % keys)
  end
  position = offset * math.floor(keys / 2)
end

function request()
  position = position % #requests + 1
  return requests[position]
end

-- wrk --latency leaves this one out.
function done(_, latency)
  io.write(string.format("     95%%  %.3fms\n", latency:percentile(95) / 1000))
end
