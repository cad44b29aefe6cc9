-- Set fields of the record. Fenced.
-- KEYS: run, pending, page, lease. ARGV: owner, then field, value... Returns {'ok'}.
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {'ok'}
