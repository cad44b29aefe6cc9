-- Note where the feed ends before a listing. Fenced.
-- KEYS: run, pending, page, lease, current, feed. ARGV: owner, now, cursor. Returns {'ok'}.
-- Without an earlier cursor, updates begin here, whatever becomes of the listing: an update may start
-- before its end.
redis.call('HSET', KEYS[1], 'feed_end', ARGV[3])
if redis.call('HEXISTS', KEYS[6], 'cursor') == 0 then
  redis.call('HSET', KEYS[6], 'cursor', ARGV[3], 'moment', ARGV[2])
end
return {'ok'}
