-- Keep an answer of a host, while one of its last ten is bad. Any answer but a late one shows that
-- the host can be reached; a good one also ends its series of pauses.
-- KEYS: answers, pause, number of pauses in a row, unreachable, probe. ARGV: the answer,
-- 'fine', 'late' or '' (other), number of answers kept, seconds for which they are kept.
-- Returns {1 if the host was unreachable and no longer is (else 0), the answers, newest first}.
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[3] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
local recovered = 0
if ARGV[2] ~= 'late' then
  recovered = redis.call('DEL', KEYS[4])
  if recovered == 1 then redis.call('DEL', KEYS[2], KEYS[5]) end
end
if ARGV[2] == 'fine' then redis.call('DEL', KEYS[3]) end
local answers = redis.call('LRANGE', KEYS[1], 0, -1)
for _, answer in ipairs(answers) do
  if string.sub(answer, 1, 5) ~= 'fine ' then return {recovered, answers} end
end
redis.call('DEL', KEYS[1])
return {recovered, answers}
