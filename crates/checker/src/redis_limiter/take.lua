-- Takes of a key's limits per minute, all of it or none. Each window is a hash of whole seconds, by the server's own
-- clock, to what was admitted in them; a second matters until its last instant is 60 seconds old.
-- KEYS: the window of requests, the window of tokens
-- ARGV: the limit of requests (0: none), the limit of tokens (0: none), the least and the most tokens, the nodes'
-- sorted set (no key of KEYS: a cluster has it in another slot than the windows), this node
-- Returns which limit refused the call (0: none, 1: requests, 2: tokens), when, the tokens that were taken, the windows,
-- and whether the node is known (1): a Redis that was emptied knows no node until that says once more that it is there.
local time = redis.call('TIME')
local now = tonumber(time[1])

local function add(key, amount)
    redis.call('HINCRBY', key, now, amount)
    redis.call('EXPIRE', key, 62)
end

-- What a window holds. What has left it is forgotten. What is still to come was admitted before the clock was set back:
-- it counts from now on, so that it neither opens the gate nor shuts it for longer than a minute.
local function used(key)
    local sum, ahead, gone = 0, 0, {}
    local fields = redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
        local second, amount = tonumber(fields[i]), tonumber(fields[i + 1])
        if second > now then
            ahead = ahead + amount
        elseif second > now - 61 then
            sum = sum + amount
        end
        if second > now or second <= now - 61 then
            gone[#gone + 1] = fields[i]
        end
    end
    if #gone > 0 then
        redis.call('HDEL', key, unpack(gone))
    end
    if ahead > 0 then
        add(key, ahead)
    end
    return sum + ahead
end

local requests, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local least, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local refused, tokens = 0, 0
if requests > 0 and used(KEYS[1]) + 1 > requests then
    refused = 1
end
if refused == 0 and limit > 0 then
    local left = math.max(limit - used(KEYS[2]), 0)
    tokens = math.max(math.min(most, left), least)
    if tokens > left then
        refused, tokens = 2, 0
    end
end
if refused == 0 and requests > 0 then
    add(KEYS[1], 1)
end
if refused == 0 and tokens > 0 then
    add(KEYS[2], tokens)
end
local known = redis.call('ZSCORE', ARGV[5], ARGV[6]) and 1 or 0
return {
    refused, now, tonumber(time[2]), tokens, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), known
}
