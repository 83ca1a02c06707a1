-- The requests of requests.lua as etcd's JSON gateway wants them: keys and values in base64. PUT is its put, GET its range.
local requests = {}
local position = 0
local threads = 0
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(bytes)
  local text = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local group = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 3, 0, -1 do
      local digit = math.floor(group / 64 ^ place) % 64
      local padding = (place == 1 and not b) or (place == 0 and not c)
      text[#text + 1] = padding and "=" or alphabet:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(text)
end

function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end

function init(arguments)
  local method, keys = arguments[1], tonumber(arguments[2])
  local value = base64(string.rep("x", 100))
  local headers = {["Content-Type"] = "application/json"}
  for number = 0, keys - 1 do
    local key = base64("bench/" .. (number * 7919) % keys)
    local path, body = "/v3/kv/range", string.format('{"key":"%s"}', key)
    if method == "PUT" then
      path, body = "/v3/kv/put", string.format('{"key":"%s","value":"%s"}', key, value)
    end
    requests[number + 1] = wrk.format("POST", path, headers, body)
  end
  position = offset * math.floor(keys / 2)
end

function request()
  position = position % #requests + 1
  return requests[position]
end
