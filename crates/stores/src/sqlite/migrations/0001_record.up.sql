-- Times are microseconds of the Unix epoch. States and outcomes are the numbers of the model:
-- 0 pending, 1 running, 2 success, 3 failed, 4 timed out, 5 cancelled. Kinds of data: 0 none,
-- 1 JSON, 2 text, 3 bytes.

-- The log. Ids rise with time, so that a new event only ever appends.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  source TEXT NOT NULL,
  subject TEXT,
  time INTEGER NOT NULL,
  sender_id TEXT,
  content_type TEXT,
  data_schema TEXT,
  ordering_key TEXT,
  traceparent TEXT,
  lineage TEXT,
  extensions TEXT,
  due_at INTEGER,
  is_test_run INTEGER NOT NULL DEFAULT 0,
  data_kind INTEGER NOT NULL DEFAULT 0,
  data
);

-- One event for one trigger: the job, the record and the dead letter. From version on, the columns
-- hold the last attempt, whose number is attempts; they are NULL before the first one ended.
CREATE TABLE executions (
  event_id INTEGER NOT NULL,
  trigger_id INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  is_test_run INTEGER NOT NULL DEFAULT 0,
  order_key TEXT,
  concurrency_key TEXT,
  version INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  outcome INTEGER,
  output_kind INTEGER,
  output,
  error TEXT,
  logs TEXT,
  PRIMARY KEY (event_id, trigger_id)
) WITHOUT ROWID;

-- What waits, in the order in which a dispatcher wants it. With the state in the index, counting
-- does not touch the table; it takes one byte.
CREATE INDEX open_executions ON executions (trigger_id, due_at, event_id, state) WHERE state < 2;

CREATE INDEX dead_letters ON executions (trigger_id, event_id, state) WHERE state IN (3, 4);

-- The attempts before the last one. position counts through all of an execution; number begins
-- again when the execution was reopened.
CREATE TABLE attempts (
  event_id INTEGER NOT NULL,
  trigger_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  number INTEGER NOT NULL,
  version INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  output_kind INTEGER,
  output,
  error TEXT,
  logs TEXT,
  PRIMARY KEY (event_id, trigger_id, position)
) WITHOUT ROWID;

-- Keys under which an event is taken only once. They may hold NUL characters, hence bytes.
CREATE TABLE once_keys (
  key BLOB NOT NULL PRIMARY KEY,
  event_id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Definitions are few and read whole: the body is the record, the other columns are for people.
CREATE TABLE functions (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  deleted_at INTEGER,
  body TEXT NOT NULL
);

CREATE TABLE triggers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  deleted_at INTEGER,
  body TEXT NOT NULL
);

CREATE TABLE keys (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  body TEXT NOT NULL
);
