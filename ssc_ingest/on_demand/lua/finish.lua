-- Note how a package ended; its counters count once, however often the task was delivered.
-- KEYS: job, seen, pending, failed, missing, left over.
-- ARGV: now, purl, how it ended, why, how long jobs are kept (s), then counter, amount...
-- Returns 1 if the package was pending, else 0.
local counted = redis.call('SREM', KEYS[3], ARGV[2])
if counted == 1 then
  for i = 6, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
  if ARGV[3] == 'failed' then redis.call('HSET', KEYS[4], ARGV[2], ARGV[4]) end
  if ARGV[3] == 'missing' then redis.call('SADD', KEYS[5], ARGV[2]) end
  if ARGV[3] == 'left_over' then redis.call('SADD', KEYS[6], ARGV[2]) end
end
redis.call('HSET', KEYS[1], 'touched_at', ARGV[1])
if redis.call('SCARD', KEYS[3]) == 0 then redis.call('HSETNX', KEYS[1], 'finished_at', ARGV[1]) end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[5]) end
return counted
