-- Releases what was acquired in a second and not used, or counts now what was used beyond it.
-- KEYS: the window of requests, the window of tokens
-- ARGV: the second, the difference of requests, the difference of tokens
for i, key in ipairs(KEYS) do
    local difference = tonumber(ARGV[i + 1])
    if difference > 0 then
        redis.call('HINCRBY', key, redis.call('TIME')[1], ARGV[i + 1])
        redis.call('EXPIRE', key, 62)
    elseif difference < 0 and redis.call('HEXISTS', key, ARGV[1]) == 1
        and redis.call('HINCRBY', key, ARGV[1], ARGV[i + 1]) < 0 then
        redis.call('HDEL', key, ARGV[1])
    end
end
return 0
