-- Count how a package ended, once however often its task was delivered.
-- KEYS: run, pending. ARGV: now, purl, sequence, then counter, amount...
-- Returns {counted (1/0), value of the first counter}.
-- A package that has changed again since is still pending, with a higher sequence. A missing package
-- is among the known missing names if the listing repeats it.
local entry = redis.call('HGET', KEYS[2], ARGV[2])
if not entry or string.match(entry, '^%d+') ~= ARGV[3] then return {0, 0} end
redis.call('HDEL', KEYS[2], ARGV[2])
for i = 4, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'touched_at', ARGV[1], 'stuck', 0)
if ARGV[4] == 'missing' then
  local names = KEYS[1] .. ':known_missing'
  redis.call('PFADD', names, ARGV[2])
  if redis.call('HGET', KEYS[1], 'repeats') == '1' then
    redis.call('HSET', KEYS[1], 'known_missing', redis.call('PFCOUNT', names))
  end
end
return {1, tonumber(redis.call('HGET', KEYS[1], ARGV[4]))}
