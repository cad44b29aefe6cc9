-- Delay a message by the server's clock, which all processes share.
-- KEYS: delayed, messages. ARGV: task id, its queue and message, seconds.
local time = redis.call('TIME')
local due = time[1] + time[2] / 1e6 + ARGV[3]
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[1], string.format('%.6f', due), ARGV[1])
