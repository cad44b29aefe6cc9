-- The parts of a package whose requirements are followed now; later ones are followed again.
-- KEYS: parts. ARGV: how long jobs are kept (s), purl, default parts, named by the job (1/0).
-- Returns the parts, separated by spaces.
local selected = redis.call('HGET', KEYS[1], ARGV[2])
if not selected then
  selected = ARGV[3]
elseif ARGV[4] == '1' then
  selected = selected .. ' ' .. ARGV[3]
end
redis.call('HSET', KEYS[1], ARGV[2], selected, 'taken:' .. ARGV[2], selected)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return selected
