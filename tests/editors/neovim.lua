-- A session as Neovim holds it: the README's configuration is taken word for word, the adapter started by vim.uv and spoken to with
-- vim.json, in the order and with the habits of nvim-dap (which is in no package registry, so that its part is played here).
--
--     ITAB_DAP=target/debug/itab-dap nvim --clean --headless -l tests/editors/neovim.lua

local root = vim.fn.fnamemodify(arg[0], ":p:h:h:h")
local source = root .. "/examples/shapes/main.go"
local PATIENCE = 60000

local function fail(text)
  io.stderr:write("FAILED " .. text .. "\n")
  os.exit(1)
end

local function expect(condition, text)
  if not condition then
    fail(text .. "\n" .. debug.traceback())
  end
end

-- The README's block, with modules that only take it down.
local dap = { adapters = {}, configurations = {} }
package.loaded["dap"] = dap
package.loaded["dap.utils"] = { pick_process = function() end }
local readme = table.concat(vim.fn.readfile(root .. "/README.md"), "\n")
local block = readme:match("```lua\n(.-)```")
expect(block, "README.md has a Lua configuration")
assert(loadstring(block))()
local adapter = dap.adapters.itab
expect(adapter.type == "executable" and adapter.command == "itab-dap", "the adapter's entry")
expect(#dap.configurations.go == 3, "three configurations")

-- Framing and requests.
local client = { seq = 0, answers = {}, events = {}, rest = "" }

function client:take(bytes)
  self.rest = self.rest .. bytes
  while true do
    local first, last, length = self.rest:find("^Content%-Length: (%d+)\r\n\r\n")
    if not first or #self.rest < last + tonumber(length) then
      return
    end
    local text = self.rest:sub(last + 1, last + tonumber(length))
    self.rest = self.rest:sub(last + tonumber(length) + 1)
    local message = vim.json.decode(text, { luanil = { object = true } })
    if message.type == "response" then
      expect(not self.answers[message.request_seq], "one answer for each request")
      self.answers[message.request_seq] = message
    else
      table.insert(self.events, message)
    end
  end
end

function client:send(command, arguments)
  self.seq = self.seq + 1
  local request = { seq = self.seq, type = "request", command = command, arguments = arguments }
  local text = vim.json.encode(request)
  self.stdin:write("Content-Length: " .. #text .. "\r\n\r\n" .. text)
  return self.seq
end

function client:answer(seq)
  expect(vim.wait(PATIENCE, function() return self.answers[seq] end, 5), "an answer to request " .. seq)
  local answer = self.answers[seq]
  expect(answer.success, answer.command .. ": " .. tostring(answer.message))
  return answer.body
end

function client:request(command, arguments)
  return self:answer(self:send(command, arguments))
end

function client:event(name)
  local found
  local arrived = vim.wait(PATIENCE, function()
    for index, event in ipairs(self.events) do
      if event.event == name then
        found = table.remove(self.events, index)
        return true
      end
    end
  end, 5)
  expect(arrived, "the event " .. name)
  return found.body
end

local stdin, stdout, stderr = vim.uv.new_pipe(), vim.uv.new_pipe(), vim.uv.new_pipe()
local exited
-- The command is the README's; where it is not installed, the one under test.
local command = vim.env.ITAB_DAP or adapter.command
client.stdin = stdin
local process, problem = vim.uv.spawn(command, { args = adapter.args, stdio = { stdin, stdout, stderr }, cwd = root }, function(code)
  exited = code
end)
expect(process, command .. ": " .. tostring(problem))
stdout:read_start(function(_, bytes) if bytes then client:take(bytes) end end)
stderr:read_start(function() end)

local body = client:request("initialize", {
  clientID = "neovim", clientName = "neovim", adapterID = "nvim-dap", pathFormat = "path", columnsStartAt1 = true,
  linesStartAt1 = true, locale = "en_US.UTF-8", supportsRunInTerminalRequest = true, supportsVariableType = true,
  supportsProgressReporting = true, supportsStartDebuggingRequest = true,
})
for _, capability in ipairs({ "supportsConfigurationDoneRequest", "supportsStepInTargetsRequest", "supportsTerminateRequest" }) do
  expect(body[capability] == true, capability)
end

-- nvim-dap replaces the variables before it sends the configuration.
local configuration = vim.deepcopy(dap.configurations.go[1])
configuration.program = configuration.program:gsub("${fileDirname}", (vim.fs.dirname(source)))
local launch = client:send("launch", configuration)
client:event("initialized")
local lines = vim.fn.readfile(source)
local area
for number, text in ipairs(lines) do
  if text:find("// stop: area", 1, true) then
    area = number
  end
end
local breakpoints = client:request("setBreakpoints", {
  source = { path = source, name = "main.go" }, sourceModified = false, lines = { area }, breakpoints = { { line = area } },
})
expect(breakpoints.breakpoints[1].verified, "the breakpoint binds")
local filters = {}
for _, filter in ipairs(body.exceptionBreakpointFilters) do
  if filter.default then
    table.insert(filters, filter.filter)
  end
end
client:request("setExceptionBreakpoints", { filters = filters })
client:request("configurationDone")
client:answer(launch)

local thread = client:event("stopped").threadId
client:request("threads")
local frame = client:request("stackTrace", { threadId = thread }).stackFrames[1]
expect(frame.name == "main.describe" and frame.line == area and frame.source.path == source, "the place of the stop")
local scope = client:request("scopes", { frameId = frame.id }).scopes[1]
local shape
for _, variable in ipairs(client:request("variables", { variablesReference = scope.variablesReference }).variables) do
  shape = variable.name == "s" and variable or shape
end
expect(shape and shape.value:find("main.Shape(*main.Square)", 1, true), "s in the locals")
local repl = client:request("evaluate", { expression = "dispatch", context = "repl", frameId = frame.id }).result
expect(repl:find("1 s.Area -> main.Square.Area", 1, true), "the REPL's dispatch: " .. repl)
local hover = client:request("evaluate", { expression = "s.Area", context = "hover", frameId = frame.id }).result
expect(hover == "main.Shape.Area -> main.Square.Area", "the hover: " .. hover)

-- step_into({ askForTargets = true }): the second target is picked.
local target = client:request("stepInTargets", { frameId = frame.id }).targets[2]
expect(target.label == "s.Area -> main.Square.Area", target.label)
client:request("stepIn", { threadId = thread, targetId = target.id, granularity = "statement" })
expect(client:event("stopped").reason == "step", "a step")
frame = client:request("stackTrace", { threadId = thread }).stackFrames[1]
expect(frame.name == "main.Square.Area", "the body behind the wrapper, not " .. frame.name)

-- Its way to end: terminate, then stdin is closed without a disconnect.
client:request("terminate")
client:event("terminated")
stdin:close()
expect(vim.wait(5000, function() return exited end, 5), "the adapter ends by itself")
expect(exited == 0, "exit code " .. tostring(exited))
print("ok: Neovim " .. tostring(vim.version()) .. ", the README's configuration, a session to its end")
