-- Add members to an outbox, each with a token of this addition.
-- KEYS: set of members, hash of tokens. ARGV: member...
local at = redis.call('TIME')
local token = at[1] .. '.' .. at[2]
for _, member in ipairs(ARGV) do
  redis.call('SADD', KEYS[1], member)
  redis.call('HSET', KEYS[2], member, token)
end
