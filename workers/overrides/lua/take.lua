-- Remove acknowledged messages, then take messages and note them as unacknowledged, as kombu would.
-- KEYS: unacked, unacked_index, queues in the order in which to look.
-- ARGV: malformed, a digit for each queue, maximum number, tags of acknowledged messages...
-- Returns {{queue, message, tag}...}.
-- Adjacent queues with the same digit are equally urgent: they take turns until all are empty.
-- The time is the one of this server: a worker's clock may be wrong.
-- What is no message (somebody pushed it by hand) is put aside, or it would stop every worker: here
-- what has no tag to note it by, in Python what else cannot be read.
for i = 4, #ARGV do
  redis.call('ZREM', KEYS[2], ARGV[i])
  redis.call('HDEL', KEYS[1], ARGV[i])
end

local function tag_of(message)
  return cjson.decode(message)['properties']['delivery_tag']
end

local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])

local function take(name)
  local message = redis.call('RPOP', name)
  while message do
    local is_message, tag = pcall(tag_of, message)
    if is_message and type(tag) == 'string' then
      local queue = cjson.encode(name)
      redis.call('HSET', KEYS[1], tag, '[' .. message .. ', "", ' .. queue .. ']')
      redis.call('ZADD', KEYS[2], now, tag)
      return {name, message, tag}
    end
    redis.call('LPUSH', ARGV[1], message)
    message = redis.call('RPOP', name)
  end
  return nil
end

local taken, most = {}, tonumber(ARGV[3])
local waiting, rank = {}, nil
local function take_turns()
  while #waiting > 0 do
    local left = {}
    for _, name in ipairs(waiting) do
      if #taken >= most then return end
      local found = take(name)
      if found then
        taken[#taken + 1] = found
        left[#left + 1] = name
      end
    end
    waiting = left
  end
end
for i = 3, #KEYS do
  local digit = string.sub(ARGV[2], i - 2, i - 2)
  if digit ~= rank then
    take_turns()
    waiting, rank = {}, digit
  end
  waiting[#waiting + 1] = KEYS[i]
end
take_turns()
return taken
