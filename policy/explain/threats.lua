-- The handle that Envoy gives to policy/compiler/threats.lua, as far as that asks it, around a request that is told.

local inspect = envoy_on_request
return function(names, values, body, context)
  local said = {}
  local headers = {get = function(_, name)
    for at = 1, #names do if names[at] == name then return values[at] end end
  end}
  -- Envoy's headers are iterated with pairs, too, which asks their metatable; this Lua's pairs does not.
  local ordinary = pairs
  pairs = function(of)
    if of ~= headers then return ordinary(of) end
    local at = 0
    return function() at = at + 1; return names[at], values[at] end
  end
  local handle = {}
  function handle:headers() return headers end
  function handle:filterContext() return {get = function(_, name) return context[name] end} end
  function handle:body()
    if body == nil then return nil end
    local function bytes(_, from, count) return body:sub(from + 1, from + count) end
    return {length = function() return #body end, getBytes = bytes}
  end
  function handle:streamInfo()
    return {dynamicMetadata = function() return {set = function(_, _, key, value) said[key] = value end} end}
  end
  function handle:logWarn() end
  function handle:respond(given) said.status = given[":status"] end
  inspect(handle)
  pairs = ordinary
  return said.found, said.status
end
