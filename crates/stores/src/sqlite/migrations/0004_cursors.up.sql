-- Where triggers that fire by themselves stand; the id is that of the trigger. next_at is there to
-- be seen: what counts is in the body.
CREATE TABLE cursors (
  id INTEGER PRIMARY KEY,
  next_at INTEGER,
  body TEXT NOT NULL
);
