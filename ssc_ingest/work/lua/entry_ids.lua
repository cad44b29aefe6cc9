-- Functions: the order of a stream's entry ids, "<milliseconds>-<number>".
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
