-- Make a pending entry a dead letter and acknowledge it, in one step: no letter is lost or doubled,
-- and the message need not fit into the memory of the reader.
-- KEYS: stream, stream of its dead letters.
-- ARGV: group, id of the entry, then field, value... of the letter.
-- Returns 'buried', 'vanished' if the entry has no content any more, or 'settled' if another reader
-- has acknowledged it.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then return 'settled' end
local outcome = 'vanished'
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if entry then
  local letter, data, others = {}, nil, {}
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'data' and not data then
      data = entry[2][i + 1]
    else
      others[entry[2][i]] = entry[2][i + 1]
    end
  end
  letter = {'data', data or ''}
  for i = 3, #ARGV do letter[#letter + 1] = ARGV[i] end
  if not data then
    letter[#letter + 1] = 'fields'
    letter[#letter + 1] = cjson.encode(others)
  end
  redis.call('XADD', KEYS[2], '*', unpack(letter))
  outcome = 'buried'
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return outcome
