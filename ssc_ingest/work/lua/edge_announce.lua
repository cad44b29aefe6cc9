-- Remember the newest entry of a stream that requests an edge.
-- KEYS: the edge.
-- ARGV: id of the entry, how long it is kept (s).
local newest = redis.call('GET', KEYS[1])
if not newest or is_before(newest, ARGV[1]) then newest = ARGV[1] end
redis.call('SET', KEYS[1], newest, 'EX', ARGV[2])
