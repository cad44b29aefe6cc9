-- Keep the lease for another period. Fenced.
-- KEYS: run, pending, page, lease. ARGV: owner, lease (s), active seconds since the last renewal.
-- Returns {'ok'}.
redis.call('EXPIRE', KEYS[4], ARGV[2])
redis.call('HINCRBYFLOAT', KEYS[1], 'active', ARGV[3])
return {'ok'}
