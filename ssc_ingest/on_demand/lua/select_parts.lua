-- Note which parts (features, extras) of packages a job's installation selects.
-- KEYS: parts. ARGV: how long jobs are kept (s), then purl, parts separated by spaces...
-- Returns the purls whose requirements were followed already, with fewer parts.
local again = {}
for i = 2, #ARGV, 2 do
  local purl = ARGV[i]
  local selected = redis.call('HGET', KEYS[1], purl) or ''
  local taken = redis.call('HGET', KEYS[1], 'taken:' .. purl)
  local more = false
  for part in string.gmatch(ARGV[i + 1], '%S+') do
    if not string.find(' ' .. selected .. ' ', ' ' .. part .. ' ', 1, true) then
      selected = selected .. ' ' .. part
    end
    if taken and not string.find(' ' .. taken .. ' ', ' ' .. part .. ' ', 1, true) then
      more = true
    end
  end
  redis.call('HSET', KEYS[1], purl, selected)
  if more then again[#again + 1] = purl end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return again
