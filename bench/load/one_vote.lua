-- One vote a request, each under an idempotency key of its own; arguments: the API key, a mark of this run.
local number = 0
local thread = 0
function setup(this) thread = thread + 1; this:set("id", thread) end
function init(arguments) authorization = "Bearer " .. arguments[1]; mark = arguments[2]; math.randomseed(id * 7919) end
function request()
  number = number + 1
  local answer = string.format("00000000-0000-7000-8000-%012x", math.random(1, 10000))
  local body = string.format('{"kind":"explicit","interaction_id":"%s","thumb":true,"user_id":"u-%d"}', answer, math.random(1, 100000))
  return wrk.format("POST", "/v1/feedback", {
    ["Authorization"] = authorization, ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = mark .. "-" .. id .. "-" .. number }, body)
end
function done(summary, latency)
  local refused = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %.3f %.3f\n", summary.requests, summary.duration, refused,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
