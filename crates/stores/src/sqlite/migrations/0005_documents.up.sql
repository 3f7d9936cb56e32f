-- The collections of documents; the body is their definition. Each has a table of its own, doc_ and
-- its name with a ^ before each capital, because names of tables do not tell those apart: id,
-- revision, created_at, updated_at, body. Its indexes are called after it: doc_users.by_email.
CREATE TABLE collections (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
) WITHOUT ROWID;
