-- What ThreatPolicy looks for in requests. Envoy runs `envoy_on_request` for each request of a route whose policy asks,
-- with the policy as the filter's context (policy/compiler/threats.py).
--
-- A text is decoded until nothing changes, lowered, and its comments and runs of blanks become one blank, before any
-- pattern is tried. No pattern has two unbounded parts side by side, so the time is linear in the text.

local MAX_DECODINGS = 3
local SKIPPED = { -- what carries credentials or says nothing of its sender's making
  ["authorization"] = true, ["proxy-authorization"] = true, ["content-length"] = true, ["content-type"] = true,
  ["accept"] = true, ["accept-encoding"] = true, ["accept-language"] = true, ["host"] = true, ["connection"] = true,
  ["x-request-id"] = true, ["traceparent"] = true, ["tracestate"] = true, ["if-none-match"] = true,
}

local function byte(hex)
  return string.char(tonumber(hex, 16))
end

-- Percent encoding, also of itself, IIS' %u00XX, and the overlong forms of "." and "/" in UTF-8.
local function decoded(text)
  for _ = 1, MAX_DECODINGS do
    local before = text
    text = text:gsub("%%[uU]00(%x%x)", byte):gsub("%%(%x%x)", byte)
    if text == before then break end
  end
  return (text:gsub("\192\174", "."):gsub("\192\175", "/"):gsub("\224\128\174", "."):gsub("\224\128\175", "/"))
end

-- "a/* b */c" is "a c". What has no end stays: it may be an attack's.
local function without_comments(text)
  if not text:find("/*", 1, true) then return text end
  local parts, at = {}, 1
  while true do
    local start = text:find("/*", at, true)
    local stop = start and text:find("*/", start + 2, true)
    if not stop then break end
    parts[#parts + 1] = text:sub(at, start - 1)
    at = stop + 2
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts, " ")
end

local function first(run)
  return run:sub(1, 1)
end

local function plain_sql(text)
  text = text:lower():gsub("/%*!%d*", " ") -- MySQL runs what is in /*! */
  text = without_comments(text):gsub("%*/", " "):gsub("[%s%z]+", " ")
  return (text:gsub("%(+", "("):gsub("%)+", ")"):gsub("[\"'`]+", first))
end

-- What no match can lack, and then the patterns: most texts have none of the words, which is quick to see.
local SQL = {
  -- a second query
  {"union", "union-select", {
    "%f[%w]union[ (]+select[ (]*[%d*@('\"%-]", "%f[%w]union[ (]+select[ (]+null%f[%W]",
    "%f[%w]union[ (]+select[ (]+[%w_%.@]+ ?[,(]", "%f[%w]union[ (]+select[ (]+[%w_%.@]+ from ",
    "[\"'%d)] ?union[ (]+select%f[%W]", "%f[%w]union all[ (]+select%f[%W]", "%f[%w]union distinct[ (]+select%f[%W]",
  }},
  {";", "stacked-query", {
    "; ?drop %w+ [%w_\"'`%.]", "; ?delete from ", "; ?insert into ", "; ?update [%w_\"'`%.]+ set ", "; ?alter table ",
    "; ?truncate table ", "; ?create user ", "; ?exec[ (u]", "; ?shutdown%f[%W]", "; ?declare @", "; ?select [%w_*@(]",
  }},
  {"select", "subselect", {
    "[=<>+,|] ?%(?select [%w_*@(]", "%f[%w]and %(?select [%w_*@(]", "%f[%w]or %(?select [%w_*@(]",
    "exists ?%(select ", "%f[%w]select %* from ",
  }},
  -- a condition that always holds
  {"or", "tautology", {
    "%f[%w]or[ (]+(%d+) ?= ?%1", "[\"'`)] ?x?or[ (]*%d+ ?[<>]=? ?%d", "[\"'`] ?%)? ?or[ (]*[\"'`] ?=[ (]*[\"'`]",
    "[\"'`] ?%)? ?or[ (]*[\"'`]([^\"'`]*)[\"'`] ?=[ (]*[\"'`]%1", "' ?%)? ?or[ (]+[%w_%.]+ ?=[ (]*['%d]",
    "' ?%)? ?or[ (]+[%w_%.]+ like[ (]*'", "[\"'`] ?%)? ?or[ (]+true%f[%W]", "[\"'`] ?%)? ?or[ (]+not[ (]+%w",
    "[\"'`] ?%)? ?or[ (]+%d+ ?[#%-/]",
  }},
  {"and", "tautology", {
    "%f[%w]and[ (]+(%d+) ?= ?%1", "[\"'`] ?%)? ?and[ (]*[\"'`]([^\"'`]*)[\"'`] ?=[ (]*[\"'`]%1",
  }},
  {"||", "tautology", {"' ?|| ?'", "' ?|| ?%d+ ?=? ?%d"}},
  {"&&", "tautology", {"' ?&& ?[%d']"}},
  -- the rest of the query made a comment; the value ends there
  {"--", "comment", {
    "[\"'`] ?%)? ?;? ?%-%-[ %-%+]*$", "%f[%w]or [%w'\"=]+ ?%-%-[ %-%+]*$", "%d order by %d+ ?%-%-",
  }},
  {"#", "comment", {"[\"'`] ?%)? ?;? ?#[ ]*$"}},
  {"/*", "comment", {"[\"'`] ?%)? ?/%*"}},
  {"having", "clause", {"' ?having %d"}},
  {"order by", "clause", {"' ?order by %d"}},
  -- functions and tables that ordinary texts do not name
  {"sleep", "function", {"%f[%w_%.]sleep ?%( ?%d+ ?%)", "pg_sleep ?%("}},
  {"benchmark", "function", {"benchmark ?%( ?%d+ ?,"}},
  {"waitfor", "function", {"waitfor delay ?['\"]"}},
  {"load_file", "function", {"load_file ?%("}},
  {"extractvalue", "function", {"extractvalue ?%("}},
  {"updatexml", "function", {"updatexml ?%("}},
  {"group_concat", "function", {"group_concat ?%("}},
  {"xp_cmdshell", "function", {"xp_cmdshell"}},
  {"utl_http", "function", {"utl_http%."}},
  {"dbms_pipe", "function", {"dbms_pipe%."}},
  {"into ", "function", {"into outfile ?['\"]", "into dumpfile ?['\"]"}},
  {"information_schema", "table", {"information_schema%."}},
  {"sqlite_master", "table", {"sqlite_master"}},
  {"pg_catalog", "table", {"pg_catalog%."}},
  {"sys.", "table", {"sys%.objects"}},
  {"@@version", "table", {"@@version"}},
}

local function sql_injection(text)
  -- Most texts have nothing that a query needs.
  if not text:find("[\"'`();=#<>|&@%*%-]") and not text:lower():find("union", 1, true) then return nil end
  local plain = plain_sql(text)
  for _, rule in ipairs(SQL) do
    if plain:find(rule[1], 1, true) then
      for _, pattern in ipairs(rule[3]) do
        if plain:find(pattern) then return "sql-injection/" .. rule[2] end
      end
    end
  end
end

local FILES = {
  "etc/passwd", "etc/shadow", "etc/hosts", "proc/self/", "windows/win.ini", "windows/system32", "boot.ini", "web-inf/",
  ".ssh/", ".env", ".git/", "var/log/",
}

-- Envoy has normalised a path before it comes here: what is left of ".." in it was hidden.
local function path_traversal(text, place)
  if not text:find("..", 1, true) and not text:find("/", 1, true) and not text:find("\\", 1, true)
    and not text:find("%z") then return nil end
  local plain = text:lower():gsub("\\", "/"):gsub("/%.%f[/]", "") -- "/./" is "/"
  if (place == "path" or place == "query") and text:find("%z") then return "path-traversal/null-byte" end
  if place == "path" and (plain:find("/%.%.[/;]") or plain:find("/%.%.$")) then return "path-traversal/hidden" end
  if plain:find("%.%.;?/+%.%.;?/") or plain:find("%.%.%.%.//") then return "path-traversal/climbing" end
  for _, file in ipairs(FILES) do
    local at = plain:find(file, 1, true)
    if at then
      local before = plain:sub(math.max(1, at - 8), at - 1)
      -- climbed to, or all that the value says: "/etc/passwd", "c:/windows/win.ini", "file:///etc/passwd"
      if before:find("%.%.;?/+$") then return "path-traversal/file" end
      if place ~= "path" and file:find("^%a") and (before == "/" or before:find("^%a:/+$") or before:find("file:/+$"))
        and at <= 9 then return "path-traversal/file" end
    end
  end
end

-- What begins the names of HTML's event handlers, behind "on". "only", "one" and "once" are no events.
local EVENTS = {
  "abort", "activate", "after", "animation", "auxclick", "before", "begin", "blur", "bounce", "cancel", "canplay",
  "change", "click", "close", "contextmenu", "copy", "cuechange", "cut", "dblclick", "drag", "drop", "durationchange",
  "emptied", "end", "error", "finish", "focus", "formdata", "fullscreen", "gotpointer", "hashchange", "input",
  "invalid", "key", "load", "lostpointer", "message", "mouse", "offline", "online", "page", "paste", "pause", "play",
  "pointer", "popstate", "progress", "propertychange", "ratechange", "readystate", "repeat", "reset", "resize",
  "scroll", "search", "seek", "select", "show", "stalled", "start", "storage", "submit", "suspend", "timeupdate",
  "toggle", "touch", "transition", "unhandled", "unload", "volumechange", "waiting", "webkit", "wheel",
}

-- What no text about a page holds by chance: a tag that runs or loads something.
local TAGS = {
  {"<script", "script-tag", {"<script[ />]", "<script$"}},
  {"</script", "script-tag", {"</script[ />]", "</script$"}},
  {"<iframe", "loading-tag", {"<iframe[ />]"}},
  {"<embed", "loading-tag", {"<embed[ /]"}},
  {"<object", "loading-tag", {"<object[ /]+data ?=", "<object[ /]+type ?=", "<object[ /]+classid ?="}},
  {"<applet", "loading-tag", {"<applet[ /]"}},
  {"<base", "loading-tag", {"<base[ /]+href ?="}},
  {"<meta", "loading-tag", {"<meta[ /]+http%-equiv ?="}},
  {"<link", "loading-tag", {"<link[ /]+rel ?=", "<link[ /]+href ?="}},
}

local SCRIPT_NAMES = {
  alert = true, prompt = true, confirm = true, eval = true, fetch = true, settimeout = true, setinterval = true,
  import = true, location = true, document = true, window = true, top = true, self = true, parent = true,
  globalthis = true, atob = true, print = true,
}

local function is_event(name)
  for _, stem in ipairs(EVENTS) do
    if name:sub(1, #stem) == stem then return true end
  end
  return false
end

local function code(number)
  return number < 256 and string.char(number) or "?"
end

-- What a browser reads where a URL stands in an attribute.
local function without_entities(text)
  if not text:find("&", 1, true) then return text end
  text = text:gsub("&#x0*(%x%x?);?", byte)
    :gsub("&#0*(%d%d?%d?);?", function(digits) return code(tonumber(digits)) end)
  return (text:gsub("&colon;", ":"):gsub("&tab;", ""):gsub("&newline;", ""):gsub("&lpar;", "("))
end

-- A URL that is a script: "javascript:alert(1)", but not the title "JavaScript: The Good Parts (2008)".
local function script_url(text)
  local plain = without_entities(text):gsub("%c", "")
  if plain:find("data:text/html[;,]") then return true end
  local at = 1
  while true do
    local _, stop = plain:find("script:", at, true)
    if not stop then return false end
    local scheme, rest = plain:sub(math.max(1, stop - 10), stop - 1), plain:sub(stop + 1, stop + 200)
    if scheme:find("javascript$") or scheme:find("vbscript$") or scheme:find("livescript$") then
      if rest:find("^ ?[^ ]-[%w_%)%]][(`=]") or rest:find("^ ?/[/*]") or rest:find("^ ?void%f[%W]") then return true end
    end
    at = stop + 1
  end
end

local function cross_site_scripting(text)
  -- Most texts have nothing that a tag, an assignment, a call or a URL needs.
  if not text:find("[<=(`:]") and not text:find("document", 1, true) then return nil end
  local lowered = text:lower():gsub("%z", "")
  local plain = lowered:gsub("[%s%c]+", " ")
  for _, rule in ipairs(TAGS) do
    if plain:find(rule[1], 1, true) then
      for _, pattern in ipairs(rule[3]) do
        if plain:find(pattern) then return "cross-site-scripting/" .. rule[2] end
      end
    end
  end
  -- an event handler, in a tag or behind a quote that ends the attribute in which the value stands
  local opened = plain:find("<%a") or plain:find("[\"'`]")
  if opened then
    for at, name in plain:gmatch("()[ /\"'`]on(%a+) ?=") do
      if at >= opened and is_event(name) then return "cross-site-scripting/event-handler" end
    end
    if plain:find("<%a") and (plain:find("[ /\"']srcdoc ?=") or plain:find("[ /\"']formaction ?=")) then
      return "cross-site-scripting/loading-tag"
    end
    -- a quote that ends the string of a script in which the value stands
    for name in plain:gmatch("[\"'`] ?[;%-%+%*/,|&^)}]+ ?(%a+) ?[%.%[(`=]") do
      if SCRIPT_NAMES[name] then return "cross-site-scripting/script-code" end
    end
  end
  if plain:find("script", 1, true) or plain:find("data:", 1, true) or plain:find("&", 1, true) then
    if script_url(lowered) then return "cross-site-scripting/script-url" end
  end
end

local CHECKS = {
  SQLInjection = sql_injection, PathTraversal = path_traversal, CrossSiteScripting = cross_site_scripting,
}

local function inspect(text, place, patterns)
  if text == "" then return nil end
  local plain = decoded(text)
  for _, name in ipairs(patterns) do
    local found = CHECKS[name](plain, place)
    if found then return found .. " in " .. place end
  end
end

-- name=value&name=value, or, in a cookie, name=value; name=value
local function inspect_form(text, place, patterns, separated)
  for pair in text:gmatch(separated or "[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    local found = inspect((value or pair):gsub("%+", " "), place, patterns)
      or (value and inspect(name:gsub("%+", " "), place, patterns))
    if found then return found end
  end
end

local ESCAPES = { n = "\n", r = "\n", t = "\t", b = " ", f = " " }

-- Every string of a JSON text, names included, each by itself.
local function inspect_json(text, patterns)
  local at = 1
  while true do
    local start = text:find('"', at, true)
    if not start then return nil end
    local stop = start
    repeat
      stop = text:find('["\\]', stop + 1)
      if not stop then stop = #text + 1 break end
      local escaped = text:sub(stop, stop) == "\\"
      if escaped then stop = stop + 1 end
    until not escaped
    local value = text:sub(start + 1, stop - 1)
    if value:find("\\", 1, true) then
      value = value:gsub("\\u00(%x%x)", byte):gsub("\\(.)", function(character)
        return ESCAPES[character] or character
      end)
    end
    local found = inspect(value, "body", patterns)
    if found then return found end
    at = stop + 1
  end
end

local function inspect_body(handle, content_type, patterns)
  local body = handle:body()
  if body == nil then return nil end
  local text = body:getBytes(0, body:length())
  if content_type:find("x-www-form-urlencoded", 1, true) then return inspect_form(text, "body", patterns) end
  if content_type:find("json", 1, true) then return inspect_json(text, patterns) end
  return inspect(text, "body", patterns)
end

local function refuse(handle, policy, what, status)
  local blocked = policy.mode == "Block"
  handle:streamInfo():dynamicMetadata():set("apg.threat", "found", what)
  handle:streamInfo():dynamicMetadata():set("apg.threat", "policy", policy.name)
  handle:logWarn("ThreatPolicy " .. policy.name .. ": " .. what .. (blocked and ": refused" or ": logged only"))
  if blocked then
    handle:respond({[":status"] = status, ["content-type"] = "text/plain"}, "refused\n")
  end
  return blocked
end

-- What is too large: the words for it, and the status.
local function too_large(path, count, bytes, policy)
  if policy.url_bytes and #path > policy.url_bytes then return "url too long", "414" end
  if policy.header_count and count > policy.header_count then return "too many headers", "431" end
  if policy.header_bytes and bytes > policy.header_bytes then return "headers too large", "431" end
end

local function inspect_head(path, values, places, patterns)
  local found
  local bare, query = path:match("^([^?]*)%??(.*)$")
  if places.Path then found = inspect(bare, "path", patterns) end
  if not found and places.Query then found = inspect_form(query, "query", patterns) end
  if not found and places.Headers then
    for name, value in pairs(values) do
      if name == "cookie" then
        found = inspect_form(value, "header cookie", patterns, "[^; ][^;]*")
      else
        found = inspect(value, "header " .. name, patterns)
      end
      if found then break end
    end
  end
  return found
end

local function inspect_request(handle, policy)
  local headers = handle:headers()
  local path = headers:get(":path") or ""
  local count, bytes, values = 0, 0, {}
  local skipped = {}
  for _, name in ipairs(policy.skip_headers) do skipped[name] = true end
  for name, value in pairs(headers) do
    if name:sub(1, 1) ~= ":" then
      count, bytes = count + 1, bytes + #name + #value
      if not SKIPPED[name] and not skipped[name] then
        values[name] = values[name] and values[name] .. "; " .. value or value
      end
    end
  end

  local what, status = too_large(path, count, bytes, policy)
  if what and refuse(handle, policy, what, status) then return end
  local patterns, places = policy.patterns, {}
  if #patterns == 0 then return end
  for _, place in ipairs(policy.inspect) do places[place] = true end

  what = inspect_head(path, values, places, patterns)
  if what and refuse(handle, policy, what, "403") then return end
  local content_type = (headers:get("content-type") or ""):lower()
  if not places.Body or content_type:find("^application/grpc") then return end
  local encoding = headers:get("content-encoding")
  if encoding and encoding:lower() ~= "identity" then
    refuse(handle, policy, "body with content-encoding, which cannot be inspected", "415")
    return
  end
  what = inspect_body(handle, content_type, patterns)
  if what then refuse(handle, policy, what, "403") end
end

function envoy_on_request(handle)
  local context = handle:filterContext()
  local policy = {
    name = context:get("name"), mode = context:get("mode"),
    patterns = context:get("patterns") or {}, inspect = context:get("inspect") or {},
    skip_headers = context:get("skip_headers") or {}, url_bytes = context:get("url_bytes"),
    header_bytes = context:get("header_bytes"), header_count = context:get("header_count"),
  }
  local fine, mistake = pcall(inspect_request, handle, policy)
  -- Envoy lets a request pass whose script failed.
  if not fine then refuse(handle, policy, "the script failed, " .. tostring(mistake), "500") end
end
