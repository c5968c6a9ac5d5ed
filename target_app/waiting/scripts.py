"""What is done to the line, as Lua: Redis runs a script without anybody else in between.

Every script first lets time pass: who was not heard of for too long leaves, leases end, and as many
as rate and cap allow are called. Hence the line moves as long as anybody asks, on any replica.
"""

KEYS = ("waiting", "called", "active", "due", "gone", "clock", "holders")
"""Sorted by place, by when to come at the latest, by the lease's end, by when to ask next; the ids
that have left; the line's own state; and each customer's ticket."""


_TIME_PASSES = """
local WAITING, CALLED, ACTIVE, DUE, GONE, CLOCK, HOLDERS = unpack(KEYS)
local opens, halted = tonumber(ARGV[1]), ARGV[2] == '1'
local rate, cap, lease = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local PATIENCE, SILENCE, RETURNING, PACED_S = 10e6, 8e6, 7e6, 10
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- What tostring() makes of a number so large has lost its last digits.
local function text(number) return string.format('%.0f', number) end
local function clock(field, otherwise)
  return tonumber(redis.call('HGET', CLOCK, field) or otherwise)
end
local called, absent, lapsed, admitted = 0, 0, 0, 0

local function drop(key, before)
  local ids = redis.call('ZRANGEBYSCORE', key, '-inf', text(before), 'LIMIT', 0, 1000)
  for _, id in ipairs(ids) do
    for _, place in ipairs({WAITING, CALLED, ACTIVE, DUE}) do redis.call('ZREM', place, id) end
    redis.call('SADD', GONE, id)
  end
  return #ids
end

local function drop_whoever_left(was)
  lapsed = drop(ACTIVE, now)
  -- In a silence nobody could ask: the shop or Redis was away, and that is not the shoppers' fault.
  local excused = clock('excused', 0)
  if now - was > SILENCE then
    excused = now + PATIENCE
    redis.call('HSET', CLOCK, 'excused', text(excused))
  end
  if now >= excused then absent = drop(DUE, now - PATIENCE) + drop(CALLED, now) end
end

local function call(n)
  local popped = redis.call('ZPOPMIN', WAITING, n)
  for i = 1, #popped, 2 do
    local due = tonumber(redis.call('ZSCORE', DUE, popped[i]) or now)
    redis.call('ZREM', DUE, popped[i])
    redis.call('ZADD', CALLED, text(math.max(now, due) + PATIENCE), popped[i])
  end
end

local function pass_time()
  local was = clock('at', now)
  drop_whoever_left(was)
  local passed_s = math.max(0, now - math.max(was, opens)) / 1e6
  local credit = math.min(math.max(1, rate), clock('credit', 0) + rate * passed_s)
  local pace = clock('pace', rate)
  if not halted and now >= opens and now >= clock('resumes', 0) then
    local inside = redis.call('ZCARD', CALLED) + redis.call('ZCARD', ACTIVE)
    local waiting = redis.call('ZCARD', WAITING)
    called = math.max(0, math.min(math.floor(credit), cap - inside, waiting))
    if called > 0 then call(called) end
    credit = credit - called
    pace = pace * math.exp(-passed_s / PACED_S) + called / PACED_S
    if called == waiting then pace = rate end
  end
  redis.call('HSET', CLOCK, 'at', text(math.max(now, was)),
    'credit', string.format('%.9f', credit), 'pace', string.format('%.9f', pace))
end

local function wait_s(position)
  local closed_s = math.max(0, opens - now, clock('resumes', 0) - now) / 1e6
  return closed_s + position / math.max(rate / 100, math.min(rate, clock('pace', rate)))
end

local function is_held(id)
  return redis.call('ZSCORE', WAITING, id) or redis.call('ZSCORE', CALLED, id)
    or redis.call('ZSCORE', ACTIVE, id)
end

local function told(status, position, eta_s, at, id, joined)
  return {status, position, math.floor(eta_s * 1000), text(at), id, text(joined),
    called, admitted, absent, lapsed}
end

local function standing(id, joined, is_asking)
  if redis.call('ZREM', CALLED, id) == 1 then
    redis.call('ZADD', ACTIVE, text(now + lease), id)
    admitted = 1
  end
  local ends = redis.call('ZSCORE', ACTIVE, id)
  if ends then return told('admitted', 0, 0, tonumber(ends), id, joined) end
  local rank = redis.call('ZRANK', WAITING, id)
  if not rank then return told('gone', 0, 0, now, id, joined) end
  local due = tonumber(redis.call('ZSCORE', DUE, id) or 0)
  if is_asking and now < due - 1e5 then return told('early', 0, 0, due, id, joined) end
  local eta_s = wait_s(rank + 1)
  local drawn = now >= opens
  if not drawn then eta_s = (opens - now) / 1e6 end
  due = now + math.min(5, math.max(0.5, eta_s / 4)) * 1e6
  redis.call('ZADD', DUE, text(due), id)
  return told('waiting', drawn and rank + 1 or 0, eta_s, due, id, joined)
end
"""

JOIN = (
    _TIME_PASSES
    + """
local id, customer, drawn, kept_s = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local joined = now
local held = redis.call('HGET', HOLDERS, customer)
local before, since = string.match(held or '', '^(%S+) (%d+)$')
if before and is_held(before) then
  id, joined = before, tonumber(since)
else
  if now >= opens then joined = math.max(now, clock('last', 0) + 1) end
  redis.call('HSET', CLOCK, 'last', text(joined))
  redis.call('HSET', HOLDERS, customer, id .. ' ' .. text(joined))
  redis.call('ZADD', WAITING, joined < opens and drawn or text(joined), id)
  redis.call('ZADD', DUE, text(now), id)
end
pass_time()
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, kept_s) end
return standing(id, joined, false)
"""
)
"""Take a place, or return to the one that the customer has: several tabs are one shopper."""

POLL = (
    _TIME_PASSES
    + """
local id, customer, place, joined = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
if not is_held(id) and redis.call('SISMEMBER', GONE, id) == 0 then
  local held = redis.call('HGET', HOLDERS, customer)
  local other = string.match(held or '', '^(%S+) ')
  if not other or other == id or not is_held(other) then
    -- Redis has forgotten the ticket. Its holder gets the place back, and nobody is called until
    -- the others have had the time to come back too.
    redis.call('HSETNX', CLOCK, 'resumes', text(now + RETURNING))
    redis.call('HSET', HOLDERS, customer, id .. ' ' .. text(joined))
    redis.call('ZADD', WAITING, place, id)
    redis.call('ZADD', DUE, text(now), id)
  end
end
-- Before anybody is dropped for silence: this one is speaking.
local due = redis.call('ZSCORE', DUE, id)
if due and tonumber(due) < now then redis.call('ZADD', DUE, text(now), id) end
pass_time()
return standing(id, joined, true)
"""
)
"""Ask where a ticket stands."""

LEAVE = """
local found = 0
for i, value in ipairs({1, 2, 2, 0}) do
  if redis.call('ZREM', KEYS[i], ARGV[1]) == 1 then found = math.max(found, value) end
end
redis.call('SADD', KEYS[5], ARGV[1])
return found
"""
"""Give a place up, in the line or inside, and tell which of them it was."""

IN_LINE, INSIDE = 1, 2

COUNT = """
return {redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3])}
"""
