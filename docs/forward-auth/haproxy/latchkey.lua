-- Asks Latchkey about a request's key, with HAProxy's own HTTP client. For HAProxy 2.6 or later.
--
-- Sets txn.latchkey_allowed if the key is good, and the answer's x-latchkey-* headers on the request. Otherwise
-- it answers the client with what Latchkey said, or with 503 if that said nothing.

local address = os.getenv("CHECK_ADDRESS")
local id = os.getenv("LATCHKEY_ID")

-- Of Latchkey's refusal, what the client gets.
local carried = {
    ["content-type"] = true, ["cache-control"] = true, ["retry-after"] = true, ["www-authenticate"] = true,
    ["x-latchkey-code"] = true, ["x-request-id"] = true,
}
local refusals = { [401] = true, [403] = true, [429] = true, [503] = true }

local function refuse(txn, response)
    local reply
    -- Without Latchkey's code it is HAProxy's own 503 or 504.
    if response and response.headers["x-latchkey-code"] and refusals[response.status] then
        reply = txn:reply({ status = response.status, body = response.body })
        for name, values in pairs(response.headers) do
            if carried[name] or name:find("^x%-ratelimit%-") then reply:add_header(name, values[0]) end
        end
    else
        reply = txn:reply({
            status = 503,
            body = '{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable"}',
        })
        reply:add_header("content-type", "application/problem+json")
        reply:add_header("cache-control", "no-store")
        reply:add_header("retry-after", "1")
        reply:add_header("x-latchkey-code", "unavailable")
    end
    txn:done(reply)
end

core.register_action("latchkey", { "http-req" }, function(txn)
    local asked = txn.http:req_get_headers()
    -- Nothing of the client's but the key; its address as it is, whatever the client says.
    local headers = { ["x-forwarded-for"] = { txn.f:src() } }
    for _, name in ipairs({ "x-api-key", "authorization" }) do
        if asked[name] then
            -- In the order of the request. HAProxy counts lines from 0, its client from 1.
            headers[name] = {}
            local line = 0
            while asked[name][line] do
                table.insert(headers[name], asked[name][line])
                line = line + 1
            end
        end
    end
    local scopes = txn:get_var("txn.latchkey_scopes")
    if scopes then headers["x-latchkey-scopes"] = { scopes } end

    local response = core.httpclient():get({
        url = "http://" .. address .. "/v1/check/" .. id,
        headers = headers,
        timeout = 6000,
    })
    local code = response and response.headers["x-latchkey-code"]
    if not code or response.status ~= 200 or code[0] ~= "valid" then return refuse(txn, response) end
    for name, values in pairs(response.headers) do
        if name:find("^x%-latchkey%-") then txn.http:req_set_header(name, values[0]) end
    end
    txn:set_var("txn.latchkey_allowed", true)
end, 0)
