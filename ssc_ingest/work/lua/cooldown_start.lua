-- Count a failure and begin a rest that doubles from failure to failure.
-- KEYS: cooldown. ARGV: now, first rest (s), longest rest (s), kept beyond it (s). Returns the rest.
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local rest = math.min(tonumber(ARGV[2]) * 2 ^ math.min(failures - 1, 30), tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'until', tostring(ARGV[1] + rest))
redis.call('EXPIRE', KEYS[1], math.floor(rest + ARGV[4]))
return math.floor(rest)
