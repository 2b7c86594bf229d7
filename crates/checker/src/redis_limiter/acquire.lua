-- Acquires a request and tokens from the limits per minute of a key, a project or an organization,
-- all or nothing. A window is a hash from whole seconds, by the server's own clock, to what was
-- admitted in them. A second counts until its last instant is 60 seconds old.
-- KEYS: the window of requests, the window of tokens
-- ARGV: the limit of requests (0: none), the limit of tokens (0: none), the minimum and maximum of
-- tokens, the sorted set of the nodes (not in KEYS: a cluster keeps it in another slot than the
-- windows), this node
-- Returns the limit that refused the call (0: none, 1: requests, 2: tokens), the time, the tokens
-- acquired, the windows, and whether the node is known (1). A Redis that was emptied knows no node
-- until that node's next heartbeat.
local time = redis.call('TIME')
local now = tonumber(time[1])

local function add(key, amount)
    redis.call('HINCRBY', key, now, amount)
    redis.call('EXPIRE', key, 62)
end

-- Returns what a window has admitted, and deletes what has expired. Seconds in the future were
-- counted before the clock was set back. They are moved to the present, so that they neither admit
-- too much nor refuse for more than a minute.
local function used(key)
    local sum, ahead, expired = 0, 0, {}
    local fields = redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
        local second, amount = tonumber(fields[i]), tonumber(fields[i + 1])
        if second > now then
            ahead = ahead + amount
        elseif second > now - 61 then
            sum = sum + amount
        end
        if second > now or second <= now - 61 then
            expired[#expired + 1] = fields[i]
        end
    end
    if #expired > 0 then
        redis.call('HDEL', key, unpack(expired))
    end
    if ahead > 0 then
        add(key, ahead)
    end
    return sum + ahead
end

local requests, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local minimum, maximum = tonumber(ARGV[3]), tonumber(ARGV[4])
local refused, tokens = 0, 0
if requests > 0 and used(KEYS[1]) + 1 > requests then
    refused = 1
end
if refused == 0 and limit > 0 then
    local left = math.max(limit - used(KEYS[2]), 0)
    tokens = math.max(math.min(maximum, left), minimum)
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
