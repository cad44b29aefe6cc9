-- Take a token for one request to a host.
-- KEYS: bucket, pause, hold, used. ARGV: rate (1/s; 0: unlimited), burst, reserve, longest wait (s),
-- wait while held (s), longest spread (s).
-- Returns {'ok', seconds to wait}, or {'wait' or 'held', seconds until worth asking again}.
-- Without a reserve (urgent) nobody stands in line.
local held = redis.call('PTTL', KEYS[3])
if held ~= -2 then
  local longest = tonumber(ARGV[5])
  if held >= 0 then longest = math.min(longest, held / 1000) end
  return {'held', tostring(longest)}
end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local rate, reserve = tonumber(ARGV[1]), tonumber(ARGV[3])
local function refuse(seconds)
  if rate > 0 and reserve > 0 then
    local last = tonumber(redis.call('HGET', KEYS[1], 'last') or 0)
    local latest = now + seconds + tonumber(ARGV[6])
    local turn = math.min(math.max(now + seconds, last + 1 / rate), latest)
    redis.call('HSET', KEYS[1], 'last', string.format('%.6f', turn))
    redis.call('EXPIRE', KEYS[1], 3600)
    seconds = turn - now
  end
  return {'wait', tostring(seconds)}
end
local paused = redis.call('PTTL', KEYS[2])
if paused > 0 then return refuse(paused / 1000) end
local function count()
  local minute = math.floor(time[1] / 60)
  local slot = minute % 60
  local at, used = string.match(redis.call('HGET', KEYS[4], slot) or '', '^(%d+) (%d+)$')
  if tonumber(at) ~= minute then used = 0 end
  redis.call('HSET', KEYS[4], slot, string.format('%d %d', minute, used + 1))
  redis.call('EXPIRE', KEYS[4], 3600)
end
if rate == 0 then
  count()
  return {'ok', '0'}
end
local burst, longest = tonumber(ARGV[2]), tonumber(ARGV[4])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local since = now - (tonumber(bucket[2]) or now)
local tokens = math.min(burst, (tonumber(bucket[1]) or burst) + since * rate)
local wait = math.max(0, (1 + reserve - tokens) / rate)
if wait > longest then return refuse(wait) end
count()
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - 1), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], 3600)
return {'ok', tostring(wait)}
