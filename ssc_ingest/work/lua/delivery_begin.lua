-- Count one more delivery.
-- KEYS: count. ARGV: how long it is kept (s). Returns the count.
local count = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return count
