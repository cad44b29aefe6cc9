-- Move messages from kombu's lists of one priority to their queues, the oldest first.
-- KEYS: a list and its queue, another list and its queue... ARGV: limit per list.
-- Returns how many were moved.
local moved = 0
for i = 1, #KEYS, 2 do
  local left = tonumber(ARGV[1])
  while left > 0 and redis.call('RPOPLPUSH', KEYS[i], KEYS[i + 1]) do
    moved, left = moved + 1, left - 1
  end
end
return moved
