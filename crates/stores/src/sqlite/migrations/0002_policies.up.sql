-- Executions with an order_key keep due_at = when their event was accepted, so that the queue of
-- their trigger is read in that order; when they are due, if later, is not_before. The others have
-- no not_before. cause is the fingerprint of a dead letter's failure, its 64 bits as a signed
-- number; NULL for what is no dead letter, 0 for those of before causes were told apart.
ALTER TABLE executions ADD COLUMN not_before INTEGER;
ALTER TABLE executions ADD COLUMN is_replay INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN cause INTEGER;
ALTER TABLE executions ADD COLUMN redirect TEXT;
ALTER TABLE executions ADD COLUMN is_edited INTEGER NOT NULL DEFAULT 0;

UPDATE executions SET cause = 0 WHERE state IN (3, 4);
DROP INDEX dead_letters;
-- Without the state, so that the usual end of an execution does not touch it.
CREATE INDEX dead_letters ON executions (trigger_id, event_id, cause) WHERE cause IS NOT NULL;

-- The 41 bits above the lower 22 of an id are the milliseconds since 2024-01-01.
UPDATE executions
  SET not_before = due_at, due_at = ((event_id >> 22) + 1704067200000) * 1000
  WHERE state < 2 AND order_key IS NOT NULL;

-- What waits with one order key, by event. What most executions lack is asked first.
CREATE INDEX open_by_key ON executions (trigger_id, order_key, event_id)
  WHERE order_key IS NOT NULL AND state < 2;

-- The data an execution gets instead of its event's.
CREATE TABLE edits (
  event_id INTEGER NOT NULL,
  trigger_id INTEGER NOT NULL,
  data_kind INTEGER NOT NULL,
  data,
  PRIMARY KEY (event_id, trigger_id)
) WITHOUT ROWID;

-- root_id is the root of the lineage, for those that have one; replay_of the event this one repeats.
ALTER TABLE events ADD COLUMN root_id INTEGER;
ALTER TABLE events ADD COLUMN replay_of INTEGER;

-- As text an id is a prefix of four characters and 13 digits of Crockford's base32.
UPDATE events SET root_id = (
  WITH RECURSIVE digits (place, number) AS (
    SELECT 5, 0
    UNION ALL
    SELECT place + 1, number * 32 - 1 + instr('0123456789abcdefghjkmnpqrstvwxyz',
      substr(json_extract(lineage, '$.root'), place, 1))
    FROM digits WHERE place < 18
  )
  SELECT number FROM digits WHERE place = 18
) WHERE lineage IS NOT NULL AND json_extract(lineage, '$.root') IS NOT NULL;

CREATE INDEX events_by_root ON events (root_id) WHERE root_id IS NOT NULL;

-- Who did what by hand. The body is the record, the other columns are to search by.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL
);

CREATE TABLE operations (
  id INTEGER PRIMARY KEY,
  body TEXT NOT NULL
);

-- What rate limits have spent: until when it counts.
CREATE TABLE spent (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) WITHOUT ROWID;

-- The archive. holds: 0 events, 1 executions; first and last are events. The content is last, so
-- that reading the other columns does not read it.
CREATE TABLE segments (
  id INTEGER PRIMARY KEY,
  holds INTEGER NOT NULL,
  class TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  items INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  content BLOB NOT NULL
);

CREATE INDEX segments_by_event ON segments (holds, first, bytes);
