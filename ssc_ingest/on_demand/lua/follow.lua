-- Add required packages to a job as far as its budget goes.
-- KEYS: job, seen, pending, failed, missing, left over.
-- ARGV: most packages, most requests, redelivered (1/0), how long jobs are kept (s), then purl...
-- Returns the purls to publish.
local publish = {}
local size = redis.call('SCARD', KEYS[2])
local requests = tonumber(redis.call('HGET', KEYS[1], 'requests') or 0)
for i = 5, #ARGV do
  local purl = ARGV[i]
  if redis.call('SISMEMBER', KEYS[2], purl) == 1 then
    if ARGV[3] == '1' and redis.call('SISMEMBER', KEYS[3], purl) == 1 then
      publish[#publish + 1] = purl
    end
  elseif size >= tonumber(ARGV[1]) or requests >= tonumber(ARGV[2]) then
    redis.call('SADD', KEYS[6], purl)
  else
    redis.call('SADD', KEYS[2], purl)
    redis.call('SADD', KEYS[3], purl)
    redis.call('SREM', KEYS[6], purl)
    size = size + 1
    publish[#publish + 1] = purl
  end
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[4]) end
return publish
