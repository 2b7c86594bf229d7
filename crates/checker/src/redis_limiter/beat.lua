-- Says that a node is there. Returns how many are, how many of them come before it by name, and whether it was known.
-- One that was known and is no more is not added: it says so again once it admits its share alone. Until then its calls
-- are told, too, that Redis has forgotten it (take.lua).
-- KEYS: the nodes      ARGV: this node, for how many seconds a word of it counts, whether it was known (1)
local now = tonumber(redis.call('TIME')[1])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
if known == 0 and ARGV[3] == '1' then
    return { 0, 0, 0 }
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
-- Said before the clock was set back. Whoever is still there says it again.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
redis.call('EXPIRE', KEYS[1], ARGV[2])
local nodes, before = redis.call('ZRANGE', KEYS[1], 0, -1), 0
for _, node in ipairs(nodes) do
    if node < ARGV[1] then
        before = before + 1
    end
end
return { #nodes, before, known }
