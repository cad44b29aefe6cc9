-- Count the HTTP requests that an attempt has sent, and end its reservation.
-- KEYS: job. ARGV: reserved, sent.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'reserved', -ARGV[1])
  redis.call('HINCRBY', KEYS[1], 'requests', ARGV[2])
end
