-- Store a new run, unless one of this kind and ecosystem runs or is paused.
-- KEYS: run, pending, page, lease, current, 'runs'. ARGV: id, now, then field, value...
-- Returns the id of the run that is current now.
local current = redis.call('GET', KEYS[5])
if current and redis.call('EXISTS', 'run:' .. current) == 1 then return current end
redis.call('SET', KEYS[5], ARGV[1])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[6], ARGV[2], ARGV[1])
return ARGV[1]
