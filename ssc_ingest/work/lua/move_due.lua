-- Move delayed messages that are due to their queues.
-- KEYS: delayed, messages. ARGV: now, limit. Returns how many were moved.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
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
