-- Releases the slot of a call that has ended.
-- ARGV: this node, the seconds for which a number of calls counts, and the hash of each owner (see
-- acquire_slot.lua)
local now = redis.call('TIME')[1]
for i = 3, #ARGV do
    local number = string.match(redis.call('HGET', ARGV[i], ARGV[1]) or '', '^%d+')
    if number and tonumber(number) > 1 then
        redis.call('HSET', ARGV[i], ARGV[1], (tonumber(number) - 1) .. ' ' .. now)
        redis.call('EXPIRE', ARGV[i], ARGV[2])
    else
        redis.call('HDEL', ARGV[i], ARGV[1])
    end
end
return 0
