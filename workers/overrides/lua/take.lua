-- Take a message from a queue and note it as unacknowledged, as kombu would.
-- KEYS: unacked, unacked_index, queues in the order in which to look. ARGV: malformed.
-- Returns {queue, message, tag}, or nil.
-- The time is the one of this server: a worker's clock may be wrong.
-- What is no message (somebody pushed it by hand) is put aside, or it would stop every worker: here
-- what has no tag to note it by, in Python what else cannot be read.
local function tag_of(message)
  return cjson.decode(message)['properties']['delivery_tag']
end
for i = 3, #KEYS do
  local message = redis.call('RPOP', KEYS[i])
  while message do
    local is_message, tag = pcall(tag_of, message)
    if is_message and type(tag) == 'string' then
      local queue = cjson.encode(KEYS[i])
      redis.call('HSET', KEYS[1], tag, '[' .. message .. ', "", ' .. queue .. ']')
      local now = redis.call('TIME')
      redis.call('ZADD', KEYS[2], string.format('%d.%06d', now[1], now[2]), tag)
      return {KEYS[i], message, tag}
    end
    redis.call('LPUSH', ARGV[1], message)
    message = redis.call('RPOP', KEYS[i])
  end
end
return false
