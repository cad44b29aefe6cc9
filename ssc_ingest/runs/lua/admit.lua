-- Note packages as pending, in order, while there is room. Fenced.
-- KEYS: run, pending, page, lease.
-- ARGV: owner, now, most pending, replaces (1/0), then purl, sequence, arguments...
-- Returns {'ok', number examined, number of duplicates (pending already), positions to publish}.
-- Packages that this page has noted and that are not marked as published are published again: the
-- client may have lost the answer.
local room = tonumber(ARGV[3]) - redis.call('HLEN', KEYS[2])
local examined, duplicates, publish = 0, 0, {}
for i = 5, #ARGV, 3 do
  local purl = ARGV[i]
  local mark = redis.call('HGET', KEYS[3], purl)
  if mark == '0' then
    publish[#publish + 1] = examined
  elseif mark then
    duplicates = duplicates + 1
  else
    local pending = redis.call('HEXISTS', KEYS[2], purl) == 1
    if pending and ARGV[4] == '0' then
      duplicates = duplicates + 1
    else
      if not pending then
        if room <= 0 then break end
        room = room - 1
      end
      redis.call('HSET', KEYS[2], purl, ARGV[i + 1] .. ' ' .. ARGV[i + 2])
      redis.call('HSET', KEYS[3], purl, '0')
      publish[#publish + 1] = examined
    end
  end
  examined = examined + 1
end
if #publish > 0 then redis.call('HSET', KEYS[1], 'touched_at', ARGV[2]) end
return {'ok', examined, duplicates, publish}
