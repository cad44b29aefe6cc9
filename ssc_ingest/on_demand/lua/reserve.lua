-- Reserve HTTP requests of a job before they are sent.
-- KEYS: job. ARGV: requests, the job's limit or -1. Returns how many were reserved.
local amount, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if limit >= 0 then
  local counts = redis.call('HMGET', KEYS[1], 'requests', 'reserved')
  amount = math.min(amount, limit - tonumber(counts[1] or 0) - tonumber(counts[2] or 0))
  if amount <= 0 then return 0 end
end
-- A job that has expired meanwhile is not created again.
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'reserved', amount) end
return amount
