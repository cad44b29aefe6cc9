-- Pause a host; a pause that is already longer stays.
-- KEYS: pause, number of pauses in a row, unreachable, probe. ARGV: shortest pause (ms), longest
-- pause (ms), doubles (1/0), why the host cannot be reached ('': it can), seconds for which its
-- state is remembered. Returns the milliseconds that the host is now paused for.
local ms = tonumber(ARGV[1])
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then
  local level = math.min(redis.call('INCR', KEYS[2]), 30)
  ms = ms * 2 ^ (level - 1)
end
ms = math.floor(math.min(ms, tonumber(ARGV[2])))
redis.call('EXPIRE', KEYS[2], ARGV[5])
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[5])
  redis.call('DEL', KEYS[4])
end
if redis.call('PTTL', KEYS[1]) < ms then redis.call('SET', KEYS[1], 'answer', 'PX', ms) end
return redis.call('PTTL', KEYS[1])
