-- Acquire the lease.
-- KEYS: run, pending, page, lease. ARGV: owner, lease (s), now.
-- Returns 'ok', 'taken', or the state of a run that is not running.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'running' then return state or 'lost' end
local owner = redis.call('GET', KEYS[4])
if owner and owner ~= ARGV[1] then return 'taken' end
redis.call('SET', KEYS[4], ARGV[1], 'EX', ARGV[2])
if redis.call('HSETNX', KEYS[1], 'started_at', ARGV[3]) == 0 then
  redis.call('HINCRBY', KEYS[1], 'restarts', 1)
  redis.call('HINCRBY', KEYS[1], 'stuck', 1)
end
redis.call('HSET', KEYS[1], 'touched_at', ARGV[3])
return 'ok'
