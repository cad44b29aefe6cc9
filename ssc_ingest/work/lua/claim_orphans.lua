-- KEYS: inflight, wanted. Returns the deferred requests of a package that nobody works on.
if redis.call('EXISTS', KEYS[1]) == 1 then return {} end
return redis.call('LRANGE', KEYS[2], 0, -1)
