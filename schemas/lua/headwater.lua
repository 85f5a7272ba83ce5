#!lua name=headwater
-- version: 2
-- The function library of the Redis sink, loaded by the daemon itself. A higher version in the server is never replaced by
-- a lower one. Every function takes keys of one kind; on Redis Cluster the daemon passes keys of one slot per call.
-- Revs stay below 2^53, so Lua's numbers compare them exactly.

-- KEYS: hashes of records. ARGV per key: rev, since, ttl_ms ('0': lives for ever), del, bu, j. -> indexes of the seams
-- A record is replaced only by a higher rev, so a repeat and a late write change nothing.
-- A seam is a record that does not hold what the entry builds on: since > 0, an image of at least that rev; since < 0, nothing
-- alive from before that rev; 0: anything. It is left as it is, because the caller must read it before it is replaced.
local function put(keys, args)
  local seams = {}
  for i, key in ipairs(keys) do
    local at = (i - 1) * 6
    local held = redis.call('HMGET', key, 'j@', 'del')
    local rev, since = tonumber(held[1]) or -1, tonumber(args[at + 2])
    if tonumber(args[at + 1]) > rev then
      if (since > 0 and rev < since) or (since < 0 and held[2] == '0' and rev < -since) then
        seams[#seams + 1] = i
      else
        redis.call('HSET', key, 'j', args[at + 6], 'j@', args[at + 1], 'del', args[at + 4], 'bu', args[at + 5])
        if args[at + 3] ~= '0' then
          redis.call('PEXPIRE', key, args[at + 3])
        elseif held[2] == '1' then
          redis.call('PERSIST', key)
        end
      end
    end
  end
  return seams
end

-- KEYS: hashes of records. ARGV per key: rev. -> records removed. What was written after that rev stays.
local function purge(keys, args)
  local removed = 0
  for i, key in ipairs(keys) do
    local held = tonumber(redis.call('HGET', key, 'j@'))
    if held and held < tonumber(args[i]) then removed = removed + redis.call('DEL', key) end
  end
  return removed
end

-- KEYS per change: sorted set, hash of revs. ARGV: ttl_ms of an emptied set's marks, then per change: add | rem | purge,
-- member, score, rev. -> changes made
-- The hash remembers each member's rev, negative once it was removed: what decides between late writes. A purged member
-- leaves no mark.
local function rel(keys, args)
  local made = 0
  for i = 1, #keys, 2 do
    local set, revs, at = keys[i], keys[i + 1], (i - 1) * 2 + 1
    local what, member, score, rev = args[at + 1], args[at + 2], args[at + 3], args[at + 4]
    local held = math.abs(tonumber(redis.call('HGET', revs, member)) or 0)
    if tonumber(rev) > held then
      if what == 'add' then
        redis.call('ZADD', set, score, member)
        redis.call('HSET', revs, member, rev)
        redis.call('PERSIST', revs)
      else
        redis.call('ZREM', set, member)
        if what == 'rem' then redis.call('HSET', revs, member, '-' .. rev) else redis.call('HDEL', revs, member) end
        if redis.call('EXISTS', set) == 0 then redis.call('PEXPIRE', revs, args[1]) end
      end
      made = made + 1
    end
  end
  return made
end

-- KEYS[1]: stream. ARGV: length to keep, then per entry: key, entity, op, rev, bu. -> entries added
-- The id is made of the rev, so the stream itself refuses a repeat. A `reset` (whole states were written: forget what you
-- know) replaces a `reset` right before it.
local function feed(keys, args)
  local added = 0
  for i = 2, #args, 5 do
    local op, id = args[i + 2], args[i + 3] .. '-0'
    if op == 'reset' then
      id = args[i + 3] .. '-1'
      local newest = redis.call('XREVRANGE', keys[1], '+', '-', 'COUNT', 1)[1]
      if newest and newest[2][6] == 'reset' and newest[1] ~= id then redis.call('XDEL', keys[1], newest[1]) end
    end
    local reply = redis.pcall('XADD', keys[1], 'MAXLEN', '~', args[1], id, 'key', args[i], 'entity', args[i + 1],
      'op', op, 'rev', args[i + 3], 'bu', args[i + 4])
    if type(reply) ~= 'table' or not reply.err then
      added = added + 1
    elseif not string.find(reply.err, 'equal or smaller', 1, true) then
      return reply
    end
  end
  return added
end

-- KEYS[1]: cursor. ARGV: holder, claim_wait in ms. -> {'claimed', ledger, epoch, rev, highest} | {'held', holder, age in s}
-- Takes the fence and nothing else: neither ledger nor rev change. highest: no record has a greater rev, whoever wrote it.
local function claim(keys, args)
  local held = redis.call('HMGET', keys[1], 'holder', 'updated_at', 'ledger', 'rev', 'highest')
  local now = redis.call('TIME')[1]
  if held[1] and held[1] ~= args[1] then
    local age = tonumber(now) - (tonumber(held[2]) or 0)
    if age * 1000 < tonumber(args[2]) then return {'held', held[1], age} end
  end
  local epoch = redis.call('HINCRBY', keys[1], 'epoch', 1)
  local rev = held[4] or '0'
  local highest = held[5] or rev
  if tonumber(rev) > tonumber(highest) then highest = rev end
  redis.call('HSET', keys[1], 'holder', args[1], 'updated_at', now, 'highest', highest)
  return {'claimed', held[3] or '', epoch, rev, highest}
end

-- KEYS[1]: cursor. ARGV: our holder and epoch, the rev it must have, the highest rev that we know of, the highest that this
-- pipeline brings, then (field, value)* to set; none: check only. -> OK
-- FENCED: somebody claimed after us. CURSOR: the server went back (flushed, restored, failed over to an older copy: to before
-- our last pipeline at least, whose first call noted what it brought), or one that we have fenced brought records late.
local function cursor(keys, args)
  local held = redis.call('HMGET', keys[1], 'holder', 'epoch', 'rev', 'highest')
  local epoch, rev, highest = held[2] or '0', held[3] or '0', tonumber(held[4]) or 0
  -- Noted first: what follows in the pipeline is guarded by rev alone, and comes whatever is answered here.
  if tonumber(args[5]) > highest then redis.call('HSET', keys[1], 'highest', args[5]) end
  local ahead = tonumber(epoch) - tonumber(args[2])
  if ahead > 0 or (ahead == 0 and held[1] ~= args[1]) then
    return redis.error_reply('FENCED epoch ' .. epoch .. ' holder ' .. (held[1] or 'nobody'))
  end
  if ahead < 0 or rev ~= args[3] then return redis.error_reply('CURSOR epoch ' .. epoch .. ' rev ' .. rev) end
  if highest ~= tonumber(args[4]) then return redis.error_reply('CURSOR epoch ' .. epoch .. ' highest ' .. (held[4] or '0')) end
  if #args > 5 then redis.call('HSET', keys[1], 'updated_at', redis.call('TIME')[1], unpack(args, 6)) end
  return redis.status_reply('OK')
end

redis.register_function('headwater_put', put)
redis.register_function('headwater_purge', purge)
redis.register_function('headwater_rel', rel)
redis.register_function('headwater_feed', feed)
redis.register_function('headwater_claim', claim)
redis.register_function('headwater_cursor', cursor)
