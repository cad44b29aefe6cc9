-- Move delayed messages that are due to their queues.
-- KEYS: delayed, messages. ARGV: limit. Returns how many were moved.
local time = redis.call('TIME')
local now = string.format('%.6f', time[1] + time[2] / 1e6)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(due) do
  local entry = redis.call('HGET', KEYS[2], id)
  if entry then
    local queue, message = string.match(entry, '^([^\n]*)\n(.*)$')
    redis.call('LPUSH', queue, message)
  end
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
return #due
