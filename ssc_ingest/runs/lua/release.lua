-- Give the lease back. An orderly end of one owner's work is no sign of a stuck run.
-- KEYS: run, pending, page, lease. ARGV: owner. Returns 0 if the lease is no longer the owner's.
if redis.call('GET', KEYS[4]) ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'stuck') or 0) > 0 then
  redis.call('HINCRBY', KEYS[1], 'stuck', -1)
end
return redis.call('DEL', KEYS[4])
