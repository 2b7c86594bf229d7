-- Records the heartbeat of a node. Returns the number of nodes, how many of them come before this
-- one by name, and whether it was known. A node that was known and is missing is not added: it
-- sends another heartbeat once it enforces its share alone. Until then acquire.lua reports to its
-- calls, too, that Redis has lost the node.
-- KEYS: the set of nodes
-- ARGV: this node, the seconds for which a heartbeat counts, whether this node was known (1)
local now = tonumber(redis.call('TIME')[1])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
if known == 0 and ARGV[3] == '1' then
    return { 0, 0, 0 }
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
-- Heartbeats from before the clock was set back. A node that is still running sends another.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
redis.call('EXPIRE', KEYS[1], ARGV[2])
local nodes, before = redis.call('ZRANGE', KEYS[1], 0, -1), 0
for _, node in ipairs(nodes) do
    if node < ARGV[1] then
        before = before + 1
    end
end
return { #nodes, before, known }
