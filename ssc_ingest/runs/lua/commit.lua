-- Close the page: count what was published on it, and store the cursor behind it. Fenced.
-- KEYS: run, pending, page, lease, then the HyperLogLogs of names, one for each estimated counter.
-- ARGV: owner, now, pages before, number of fields, number of counters, then field, value...,
-- then counter, amount..., then counter, name... Returns {'ok'}.
-- A repeated call, by a client that lost the answer, changes nothing. Names are sent where a listing
-- repeats them; the number of different names is then estimated.
if (redis.call('HGET', KEYS[1], 'pages') or '0') ~= ARGV[3] then return {'ok'} end
local counters = 6 + 2 * tonumber(ARGV[4])
local names = counters + 2 * tonumber(ARGV[5])
for i = 6, counters - 1, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = counters, names - 1, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = names, #ARGV, 2 do redis.call('PFADD', KEYS[1] .. ':' .. ARGV[i], ARGV[i + 1]) end
if names <= #ARGV then
  redis.call('HSET', KEYS[1], 'repeats', '1')
  for i = 5, #KEYS do
    local counter = string.sub(KEYS[i], #KEYS[1] + 2)
    redis.call('HSET', KEYS[1], counter, redis.call('PFCOUNT', KEYS[i]))
  end
end
redis.call('HINCRBY', KEYS[1], 'published', redis.call('HLEN', KEYS[3]))
redis.call('HINCRBY', KEYS[1], 'pages', 1)
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[1], 'touched_at', ARGV[2], 'stuck', 0)
redis.call('HDEL', KEYS[1], 'note')
return {'ok'}
