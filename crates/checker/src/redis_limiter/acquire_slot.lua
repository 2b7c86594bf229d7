-- Acquires a slot for one more call in progress of a key, its project and its organization: of each
-- that has a limit, or of none. The calls of an owner are a hash from nodes to the number of their
-- calls and the second, by the server's own clock, in which the node has last written it. A number
-- counts for some seconds only, so that the calls of a node that has gone end with it.
-- ARGV: this node, the sorted set of the nodes, the seconds for which a number counts, whether to
-- acquire (1) or only to look (0), and for each owner its hash and its limit (not in KEYS: a
-- cluster keeps them in different slots)
-- Returns which owner's limit refuses the call (0: none), the number of its calls on all nodes, and
-- whether the node is known (1). A Redis that was emptied knows no node until that node's next
-- heartbeat.
local now = tonumber(redis.call('TIME')[1])
local node, seconds, acquires = ARGV[1], tonumber(ARGV[3]), ARGV[4] == '1'
local known = redis.call('ZSCORE', ARGV[2], node) and 1 or 0

-- Returns the number of an owner's calls on all nodes, and on this one. This one is alive, however
-- old its number is. Seconds in the future were written before the clock was set back. They become
-- the present, so that the number of a node that has gone does not count until the clock is there.
local function calls_of(hash)
    local sum, own = 0, 0
    local fields = redis.call('HGETALL', hash)
    for i = 1, #fields, 2 do
        local number, second = string.match(fields[i + 1], '^(%d+) (%d+)$')
        number, second = tonumber(number), tonumber(second)
        if fields[i] == node then
            own = number
        elseif second <= now - seconds then
            number = 0
            if acquires then
                redis.call('HDEL', hash, fields[i])
            end
        elseif second > now and acquires then
            redis.call('HSET', hash, fields[i], number .. ' ' .. now)
        end
        sum = sum + number
    end
    return sum, own
end

local owns = {}
for i = 5, #ARGV, 2 do
    local sum, own = calls_of(ARGV[i])
    if sum + 1 > tonumber(ARGV[i + 1]) then
        return { (i - 3) / 2, sum, known }
    end
    owns[i] = own
end
if acquires then
    for i = 5, #ARGV, 2 do
        redis.call('HSET', ARGV[i], node, (owns[i] + 1) .. ' ' .. now)
        redis.call('EXPIRE', ARGV[i], seconds)
    end
end
return { 0, 0, known }
