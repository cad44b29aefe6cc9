-- Remove members from an outbox, except those that were added again.
-- KEYS: set of members, hash of tokens. ARGV: member, token that was read with it ('' for none)...
for i = 1, #ARGV, 2 do
  if (redis.call('HGET', KEYS[2], ARGV[i]) or '') == ARGV[i + 1] then
    redis.call('SREM', KEYS[1], ARGV[i])
    redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
