-- Take tokens for some requests to a host, one after the other.
-- KEYS: bucket, pause, hold, used, unreachable, probe, answers, number of pauses in a row.
-- ARGV: rate (1/s; 0: unlimited), burst, reserve, longest wait (s), wait while held (s), longest
-- spread (s), time that a probe may take (s), wait during a probe (s), number of requests.
-- Returns, for each series of requests with the same answer, the answer and their number:
-- {'ok', seconds to wait, 1 if the response is to be recorded, 2 for a probe, else 0, number}, or
-- {'turn', 'paused', 'unreachable' or 'held', seconds until worth asking again, why unreachable,
-- number}.
-- Without a reserve (urgent) nobody stands in line. After the pause of an unreachable host one
-- request at a time, the probe, is allowed, until one is answered.
local function take()
  local held = redis.call('PTTL', KEYS[3])
  if held ~= -2 then
    local longest = tonumber(ARGV[5])
    if held >= 0 then longest = math.min(longest, held / 1000) end
    return {'held', tostring(longest), ''}
  end
  local time = redis.call('TIME')
  local now = time[1] + time[2] / 1000000
  local rate, reserve = tonumber(ARGV[1]), tonumber(ARGV[3])
  local cause = redis.call('GET', KEYS[5])
  local function refuse(verdict, seconds)
    if rate > 0 and reserve > 0 then
      local last = tonumber(redis.call('HGET', KEYS[1], 'last') or 0)
      local latest = now + seconds + tonumber(ARGV[6])
      local turn = math.min(math.max(now + seconds, last + 1 / rate), latest)
      redis.call('HSET', KEYS[1], 'last', string.format('%.6f', turn))
      seconds = turn - now
    end
    redis.call('HSET', KEYS[1], 'refused', string.format('%.6f', now + seconds))
    redis.call('EXPIRE', KEYS[1], 3600)
    return {verdict, tostring(seconds), cause or ''}
  end
  local paused = redis.call('PTTL', KEYS[2])
  if paused > 0 then return refuse(cause and 'unreachable' or 'paused', paused / 1000) end
  if cause and redis.call('EXISTS', KEYS[6]) == 1 then
    return refuse('unreachable', tonumber(ARGV[8]))
  end
  local function grant(seconds)
    local minute = math.floor(time[1] / 60)
    local slot = minute % 60
    local at, used = string.match(redis.call('HGET', KEYS[4], slot) or '', '^(%d+) (%d+)$')
    if tonumber(at) ~= minute then used = 0 end
    redis.call('HSET', KEYS[4], slot, string.format('%d %d', minute, used + 1))
    redis.call('EXPIRE', KEYS[4], 3600)
    if cause then
      redis.call('SET', KEYS[6], '1', 'EX', ARGV[7])
      return {'ok', tostring(seconds), 2}
    end
    return {'ok', tostring(seconds), math.min(1, redis.call('EXISTS', KEYS[7], KEYS[8]))}
  end
  if rate == 0 then return grant(0) end
  local burst, longest = tonumber(ARGV[2]), tonumber(ARGV[4])
  local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
  local since = now - (tonumber(bucket[2]) or now)
  local tokens = math.min(burst, (tonumber(bucket[1]) or burst) + since * rate)
  local wait = math.max(0, (1 + reserve - tokens) / rate)
  if wait > longest then return refuse('turn', wait) end
  redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - 1), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', KEYS[1], 3600)
  return grant(wait)
end

local answers, last = {}, nil
for _ = 1, tonumber(ARGV[9]) do
  local answer = take()
  if last and last[1] == answer[1] and last[2] == answer[2] and last[3] == answer[3] then
    last[4] = last[4] + 1
  else
    last = {answer[1], answer[2], answer[3], 1}
    answers[#answers + 1] = last
  end
end
return answers
