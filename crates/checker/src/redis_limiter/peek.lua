-- Returns the windows of a key, a project or an organization, and the time. It writes nothing.
-- KEYS: the window of requests, the window of tokens
local time = redis.call('TIME')
return { tonumber(time[1]), tonumber(time[2]), redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
