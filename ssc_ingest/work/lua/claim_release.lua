-- End a claim.
-- KEYS: inflight, wanted. ARGV: owner. Returns the requests that were deferred by then.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {} end
redis.call('DEL', KEYS[1])
return redis.call('LRANGE', KEYS[2], 0, -1)
