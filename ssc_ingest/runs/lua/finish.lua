-- End the run, unless packages are pending. Fenced.
-- KEYS: run, pending, page, lease, current, feed, then the HyperLogLogs of names.
-- ARGV: owner, now, state, note, error, the feed's cursor or '', replaces the stored cursor (1/0),
-- completes an update (1/0). Returns {'ok'} or {'pending'}.
if redis.call('HLEN', KEYS[2]) > 0 then return {'pending'} end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'finished_at', ARGV[2], 'touched_at', ARGV[2])
redis.call('HDEL', KEYS[1], 'note', 'error')
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'note', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[5]) end
if ARGV[6] ~= '' and (ARGV[7] == '1' or redis.call('HEXISTS', KEYS[6], 'cursor') == 0) then
  redis.call('HSET', KEYS[6], 'cursor', ARGV[6], 'moment', ARGV[2])
end
if ARGV[8] == '1' then redis.call('HSET', KEYS[6], 'updated_at', ARGV[2]) end
local id = string.sub(KEYS[1], 5)
if redis.call('GET', KEYS[5]) == id then redis.call('DEL', KEYS[5]) end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], unpack(KEYS, 7))
return {'ok'}
