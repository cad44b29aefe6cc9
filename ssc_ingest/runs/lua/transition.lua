-- Change the state of a run that is in the expected state.
-- KEYS: run. ARGV: expected state, new state, now. Returns the state before.
local state = redis.call('HGET', KEYS[1], 'state')
if state == ARGV[1] then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'touched_at', ARGV[3], 'stuck', 0)
end
return state
