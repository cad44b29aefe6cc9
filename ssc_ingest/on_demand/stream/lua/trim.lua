-- Remove entries that are older than the retention and that every group has done with.
-- KEYS: stream.
-- ARGV: id before which entries are too old.
-- Returns the number of entries removed.
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return 0 end -- nobody has read anything
local before = ARGV[1]
for _, group in ipairs(groups) do
  local facts = {}
  for i = 1, #group, 2 do facts[group[i]] = group[i + 1] end
  local kept = facts['last-delivered-id']
  local pending = redis.call('XPENDING', KEYS[1], facts['name'])
  if pending[1] > 0 and is_before(pending[2], kept) then kept = pending[2] end
  if is_before(kept, before) then before = kept end
end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', before)
