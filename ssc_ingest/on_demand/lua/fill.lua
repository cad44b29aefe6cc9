-- Note the direct requirements that a job fills beyond its budget.
-- KEYS: seen, direct, filling, unfilled.
-- ARGV: most packages, redelivered (1/0), how long jobs are kept (s), then purl...
-- Returns the purls to publish.
local publish = {}
local size = redis.call('SCARD', KEYS[2])
for i = 4, #ARGV do
  local purl = ARGV[i]
  if redis.call('SISMEMBER', KEYS[2], purl) == 1 then
    if ARGV[2] == '1' and redis.call('SISMEMBER', KEYS[3], purl) == 1 then
      publish[#publish + 1] = purl
    end
  elseif redis.call('SISMEMBER', KEYS[1], purl) == 0 then
    if size >= tonumber(ARGV[1]) then
      redis.call('SADD', KEYS[4], purl)
    else
      redis.call('SADD', KEYS[2], purl)
      redis.call('SADD', KEYS[3], purl)
      size = size + 1
      publish[#publish + 1] = purl
    end
  end
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[3]) end
return publish
