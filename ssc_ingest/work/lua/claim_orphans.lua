-- List the deferred requests of a package that no task has claimed.
-- KEYS: inflight, wanted. Returns the requests.
if redis.call('EXISTS', KEYS[1]) == 1 then return {} end
return redis.call('LRANGE', KEYS[2], 0, -1)
