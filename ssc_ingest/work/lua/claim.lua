-- Claim a package, or defer a request, if there is one, to the task that has it.
-- KEYS: inflight, wanted. ARGV: owner, lease (s), request. Returns 1 if the claim is the owner's.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  if ARGV[3] then redis.call('RPUSH', KEYS[2], ARGV[3]) end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
