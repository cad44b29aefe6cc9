-- Keep a claim for another lease.
-- KEYS: inflight. ARGV: owner, lease (s). Returns 0 if it is no longer the owner's.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
