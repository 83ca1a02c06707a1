-- Arguments: METHOD KEYS. Asks for keys bench/0 .. bench/KEYS-1 in an order that jumps about; with PUT, 100 bytes each.
-- All requests are formatted once, so that the generator costs every server under test the same.
local requests = {}
local position = 0
local threads = 0

function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end

function init(arguments)
  local method, keys = arguments[1], tonumber(arguments[2])
  local body = method == "PUT" and string.rep("x", 100) or nil
  for number = 0, keys - 1 do
    -- 7919 is prime to every number of keys used here: each key comes once per turn.
    requests[number + 1] = wrk.format(method, wrk.path .. "bench/" .. (number * 7919) % keys, nil, body)
  end
  position = offset * math.floor(keys / 2)
end

function request()
  position = position % #requests + 1
  return requests[position]
end
