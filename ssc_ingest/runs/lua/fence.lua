-- Prefix of every script that only the lease's owner may run; loaded in front of it.
-- KEYS: run, pending, page, lease. ARGV[1]: owner. Returns {'lost'}, or {the state} of a run that
-- is not running.
if redis.call('GET', KEYS[4]) ~= ARGV[1] then return {'lost'} end
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'running' then return {state or 'lost'} end
