-- Pause a host; a pause that is already longer stays.
-- KEYS: pause, number of pauses in a row. ARGV: shortest pause (ms), longest pause (ms),
-- doubles (1/0). Returns the milliseconds that the host is now paused for.
local ms = tonumber(ARGV[1])
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then
  local level = redis.call('INCR', KEYS[2])
  ms = ms * 2 ^ (level - 1)
end
ms = math.floor(math.min(ms, tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[2], ms * 2)
if redis.call('PTTL', KEYS[1]) < ms then redis.call('SET', KEYS[1], 'answer', 'PX', ms) end
return redis.call('PTTL', KEYS[1])
