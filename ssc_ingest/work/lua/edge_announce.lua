-- Remember the newest entry of a stream that requests an edge.
-- KEYS: the edge.
-- ARGV: id of the entry, how long it is kept (s).
local function part(text, position)
  local dash = string.find(text, '-', 1, true)
  if position == 1 then return string.sub(text, 1, dash - 1) end
  return string.sub(text, dash + 1)
end

local function is_before(a, b) -- numbers of up to 20 digits, which Lua cannot hold
  for position = 1, 2 do
    local x, y = part(a, position), part(b, position)
    if #x ~= #y then return #x < #y end
    if x ~= y then return x < y end
  end
  return false
end

local newest = redis.call('GET', KEYS[1])
if not newest or is_before(newest, ARGV[1]) then newest = ARGV[1] end
redis.call('SET', KEYS[1], newest, 'EX', ARGV[2])
