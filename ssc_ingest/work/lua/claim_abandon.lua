-- End a claim and leave the deferred requests to the next owner.
-- KEYS: inflight. ARGV: owner.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
