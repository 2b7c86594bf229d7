-- Says that a node is there. Returns how many are, how many of them come before it by name, and whether it was known.
-- KEYS: the nodes      ARGV: this node, for how many seconds a word of it counts
local now = tonumber(redis.call('TIME')[1])
local new = redis.call('ZADD', KEYS[1], now, ARGV[1])
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
return { #nodes, before, 1 - new }
