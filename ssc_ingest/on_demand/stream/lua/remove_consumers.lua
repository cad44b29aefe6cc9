-- Remove consumers that have read nothing for long and have nothing pending: with a consumer, Redis
-- forgets what it has pending.
-- KEYS: stream.
-- ARGV: group, beginning of the consumers' names, milliseconds.
-- Returns the number of consumers removed.
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local facts = {}
  for i = 1, #consumer, 2 do facts[consumer[i]] = consumer[i + 1] end
  local is_ours = string.sub(facts['name'], 1, #ARGV[2]) == ARGV[2]
  if is_ours and facts['pending'] == 0 and facts['idle'] > tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts['name'])
    removed = removed + 1
  end
end
return removed
