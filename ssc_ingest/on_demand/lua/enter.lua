-- Add a package to a job; creates the job if needed.
-- KEYS: job, seen, pending, failed, missing, left over.
-- ARGV: id, now, purl, request, dependencies, force (1/0), how long jobs are kept (s).
-- Returns 'asked', 'followed' or 'done'.
if redis.call('HSETNX', KEYS[1], 'created_at', ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'dependencies', ARGV[5])
  redis.call('ZADD', 'jobs', ARGV[2], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', 'jobs', '-inf', ARGV[2] - ARGV[7])
end
redis.call('HSET', KEYS[1], 'touched_at', ARGV[2])
local new = redis.call('SADD', KEYS[2], ARGV[3]) == 1
if new or ARGV[6] == '1' then
  redis.call('SADD', KEYS[3], ARGV[3])
  redis.call('HDEL', KEYS[1], 'finished_at')
  redis.call('HDEL', KEYS[4], ARGV[3])
  redis.call('HSET', KEYS[1], 'root:' .. ARGV[3], ARGV[4])
end
local standing = 'done'
if redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 1 then
  standing = redis.call('HEXISTS', KEYS[1], 'root:' .. ARGV[3]) == 1 and 'asked' or 'followed'
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[7]) end
return standing
