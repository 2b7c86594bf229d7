-- Writes how many calls this node has in progress, whatever was counted before.
-- ARGV: this node, the seconds for which a number of calls counts, and for each owner its hash (see
-- acquire_slot.lua) and the number
local now = redis.call('TIME')[1]
for i = 3, #ARGV, 2 do
    if ARGV[i + 1] == '0' then
        redis.call('HDEL', ARGV[i], ARGV[1])
    else
        redis.call('HSET', ARGV[i], ARGV[1], ARGV[i + 1] .. ' ' .. now)
        redis.call('EXPIRE', ARGV[i], ARGV[2])
    end
end
return 0
