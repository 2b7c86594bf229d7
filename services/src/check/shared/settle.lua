-- Puts back what was taken in a second and not used, or counts now what was used beyond it.
-- KEYS: the window     ARGV: the second, the difference
local difference = tonumber(ARGV[2])
if difference > 0 then
    redis.call('HINCRBY', KEYS[1], redis.call('TIME')[1], difference)
    redis.call('EXPIRE', KEYS[1], 62)
elseif redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 and redis.call('HINCRBY', KEYS[1], ARGV[1], difference) < 0 then
    redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
