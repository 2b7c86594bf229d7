-- Takes of a key's limits per minute, all of it or none. Each window is a hash of whole seconds, by the server's own
-- clock, to what was admitted in them; a second matters until its last instant is 60 seconds old.
-- KEYS: the window of requests, the window of tokens
-- ARGV: the limit of requests (0: none), the limit of tokens (0: none), the least and the most tokens
local time = redis.call('TIME')
local now = tonumber(time[1])

local function used(key)
    local sum, gone = 0, {}
    local fields = redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
        if tonumber(fields[i]) <= now - 61 then
            gone[#gone + 1] = fields[i]
        else
            sum = sum + tonumber(fields[i + 1])
        end
    end
    if #gone > 0 then
        redis.call('HDEL', key, unpack(gone))
    end
    return sum
end

local function add(key, amount)
    redis.call('HINCRBY', key, now, amount)
    redis.call('EXPIRE', key, 62)
end

local requests, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local least, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local admitted, tokens = 1, 0
if requests > 0 and used(KEYS[1]) + 1 > requests then
    admitted = 0
end
if admitted == 1 and limit > 0 then
    local left = limit - used(KEYS[2])
    tokens = math.max(math.min(most, left), least)
    if tokens > left then
        admitted = 0
    end
end
if admitted == 1 and requests > 0 then
    add(KEYS[1], 1)
end
if admitted == 1 and tokens > 0 then
    add(KEYS[2], tokens)
end
return { admitted, now, tonumber(time[2]), tokens, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
