-- Cancel a run that runs or is paused; anybody may.
-- KEYS: run, pending, page, lease, current, then the HyperLogLogs of names. ARGV: now, note.
-- Returns the state before.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'running' or state == 'paused' then
  redis.call('HINCRBY', KEYS[1], 'published', redis.call('HLEN', KEYS[3]))
  redis.call('HSET', KEYS[1], 'state', 'cancelled', 'finished_at', ARGV[1], 'touched_at', ARGV[1],
             'note', ARGV[2])
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], unpack(KEYS, 6))
  local id = string.sub(KEYS[1], 5)
  if redis.call('GET', KEYS[5]) == id then redis.call('DEL', KEYS[5]) end
end
return state
