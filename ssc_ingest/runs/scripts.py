"""What must happen at once in Redis, as Lua.

Keys of all: the run's hash, ``:pending``, ``:page``, ``:lease``, in this order. Scripts that an
owner calls begin with :data:`FENCE`: who has lost the lease changes nothing any more, and a
run that is not running any more is not gone on with.
"""

from ssc_ingest.runs.model import ESTIMATED

FENCE = """
if redis.call('GET', KEYS[4]) ~= ARGV[1] then return {'lost'} end
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'running' then return {state or 'lost'} end
"""

ESTIMATES = f"""
local estimated = {{{", ".join(map(repr, ESTIMATED))}}}
local estimates = {{}}
for i, counter in ipairs(estimated) do estimates[i] = KEYS[1] .. ':' .. counter end
"""
"""The counters of a listing that repeats its names, and their HyperLogLogs."""

# KEYS: run, pending, page, lease, current, 'runs'.
# ARGV: id, now, name, value... Returns the id of the run that there is.
START = """
local current = redis.call('GET', KEYS[5])
if current and redis.call('EXISTS', 'run:' .. current) == 1 then return current end
redis.call('SET', KEYS[5], ARGV[1])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[6], ARGV[2], ARGV[1])
return ARGV[1]
"""

# ARGV: owner, seconds, now. Returns 'ok', 'taken', or the state.
TAKE = """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'running' then return state or 'lost' end
local owner = redis.call('GET', KEYS[4])
if owner and owner ~= ARGV[1] then return 'taken' end
redis.call('SET', KEYS[4], ARGV[1], 'EX', ARGV[2])
if redis.call('HSETNX', KEYS[1], 'started_at', ARGV[3]) == 0 then
  redis.call('HINCRBY', KEYS[1], 'restarts', 1)
  redis.call('HINCRBY', KEYS[1], 'stuck', 1)
end
redis.call('HSET', KEYS[1], 'touched_at', ARGV[3])
return 'ok'
"""

# ARGV: owner, seconds, active seconds since the last time.
RENEW = (
    FENCE
    + """
redis.call('EXPIRE', KEYS[4], ARGV[2])
redis.call('HINCRBYFLOAT', KEYS[1], 'active', ARGV[3])
return {'ok'}
"""
)

# ARGV: owner. An orderly end of somebody's work on the run is no sign of trouble.
RELEASE = """
if redis.call('GET', KEYS[4]) ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'stuck') or 0) > 0 then
  redis.call('HINCRBY', KEYS[1], 'stuck', -1)
end
return redis.call('DEL', KEYS[4])
"""

# ARGV: owner, now, most pending, replaces (1/0), then purl, sequence, arguments...
# Returns 'ok', how many were looked at, how many were pending already, the positions to publish.
# Those that this page has noted and nobody has marked as published are among them: a client that
# lost the answer asks once more.
ADMIT = (
    FENCE
    + """
local room = tonumber(ARGV[3]) - redis.call('HLEN', KEYS[2])
local looked, twice, publish = 0, 0, {}
for i = 5, #ARGV, 3 do
  local purl = ARGV[i]
  local mark = redis.call('HGET', KEYS[3], purl)
  if mark == '0' then
    publish[#publish + 1] = looked
  elseif mark then
    twice = twice + 1
  else
    local pending = redis.call('HEXISTS', KEYS[2], purl) == 1
    if pending and ARGV[4] == '0' then
      twice = twice + 1
    else
      if not pending then
        if room <= 0 then break end
        room = room - 1
      end
      redis.call('HSET', KEYS[2], purl, ARGV[i + 1] .. ' ' .. ARGV[i + 2])
      redis.call('HSET', KEYS[3], purl, '0')
      publish[#publish + 1] = looked
    end
  end
  looked = looked + 1
end
if #publish > 0 then redis.call('HSET', KEYS[1], 'touched_at', ARGV[2]) end
return {'ok', looked, twice, publish}
"""
)

# ARGV: owner, now, pages before, number of fields, number of counters, name, value...,
# counter, amount..., counter, name...
# Closes the page: what was taken up on it is counted, together with the cursor behind it. Once,
# also when a client that lost the answer asks again. Counters with names are those of a listing
# that repeats them: how many there are of each is estimated by a HyperLogLog.
COMMIT = (
    FENCE
    + ESTIMATES
    + """
if (redis.call('HGET', KEYS[1], 'pages') or '0') ~= ARGV[3] then return {'ok'} end
local counters = 6 + 2 * tonumber(ARGV[4])
local names = counters + 2 * tonumber(ARGV[5])
for i = 6, counters - 1, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = counters, names - 1, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = names, #ARGV, 2 do redis.call('PFADD', KEYS[1] .. ':' .. ARGV[i], ARGV[i + 1]) end
if names <= #ARGV then
  redis.call('HSET', KEYS[1], 'repeats', '1')
  for i, counter in ipairs(estimated) do
    redis.call('HSET', KEYS[1], counter, redis.call('PFCOUNT', estimates[i]))
  end
end
redis.call('HINCRBY', KEYS[1], 'published', redis.call('HLEN', KEYS[3]))
redis.call('HINCRBY', KEYS[1], 'pages', 1)
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[1], 'touched_at', ARGV[2], 'stuck', 0)
redis.call('HDEL', KEYS[1], 'note')
return {'ok'}
"""
)

# ARGV: owner, name, value...
NOTE = (
    FENCE
    + """
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {'ok'}
"""
)

# KEYS: ..., current, feed. ARGV: owner, now, cursor. The feed begins where it ends before the first
# listing, whatever becomes of that: an update may come before its end, or it may have none.
NOTE_FEED_END = (
    FENCE
    + """
redis.call('HSET', KEYS[1], 'feed_end', ARGV[3])
if redis.call('HEXISTS', KEYS[6], 'cursor') == 0 then
  redis.call('HSET', KEYS[6], 'cursor', ARGV[3], 'moment', ARGV[2])
end
return {'ok'}
"""
)

# KEYS: ..., current, feed. ARGV: owner, now, state, note, error, cursor of the feed or '',
# moves (1) or begins (0) the feed, completes an update (1/0). Returns 'pending' if packages are.
FINISH = (
    FENCE
    + ESTIMATES
    + """
if redis.call('HLEN', KEYS[2]) > 0 then return {'pending'} end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'finished_at', ARGV[2], 'touched_at', ARGV[2])
redis.call('HDEL', KEYS[1], 'note', 'error')
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'note', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[5]) end
if ARGV[6] ~= '' and (ARGV[7] == '1' or redis.call('HEXISTS', KEYS[6], 'cursor') == 0) then
  redis.call('HSET', KEYS[6], 'cursor', ARGV[6], 'moment', ARGV[2])
end
if ARGV[8] == '1' then redis.call('HSET', KEYS[6], 'updated_at', ARGV[2]) end
local id = string.sub(KEYS[1], 5)
if redis.call('GET', KEYS[5]) == id then redis.call('DEL', KEYS[5]) end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], unpack(estimates))
return {'ok'}
"""
)

# KEYS: ..., current. ARGV: now, note. From outside. Returns the state before.
CANCEL = (
    ESTIMATES
    + """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'running' or state == 'paused' then
  redis.call('HINCRBY', KEYS[1], 'published', redis.call('HLEN', KEYS[3]))
  redis.call('HSET', KEYS[1], 'state', 'cancelled', 'finished_at', ARGV[1], 'touched_at', ARGV[1],
             'note', ARGV[2])
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], unpack(estimates))
  local id = string.sub(KEYS[1], 5)
  if redis.call('GET', KEYS[5]) == id then redis.call('DEL', KEYS[5]) end
end
return state
"""
)

# ARGV: state that it must have, state that it gets, now. Returns the state before.
TURN = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == ARGV[1] then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'touched_at', ARGV[3], 'stuck', 0)
end
return state
"""

# KEYS: run, pending. ARGV: now, purl, sequence, counter, amount...
# Counts a package once, however often its task was delivered. A package that has changed again
# since is still pending, under a higher number. One that was missing is known to be if it is listed
# again. Returns {counted (1/0), value of the 1st counter}.
END = """
local entry = redis.call('HGET', KEYS[2], ARGV[2])
if not entry or string.match(entry, '^%d+') ~= ARGV[3] then return {0, 0} end
redis.call('HDEL', KEYS[2], ARGV[2])
for i = 4, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'touched_at', ARGV[1], 'stuck', 0)
if ARGV[4] == 'missing' then
  local names = KEYS[1] .. ':known_missing'
  redis.call('PFADD', names, ARGV[2])
  if redis.call('HGET', KEYS[1], 'repeats') == '1' then
    redis.call('HSET', KEYS[1], 'known_missing', redis.call('PFCOUNT', names))
  end
end
return {1, tonumber(redis.call('HGET', KEYS[1], ARGV[4]))}
"""
