-- What an execution is: 1 a test run, 2 part of a replay, 4 one with edited data, added up. One
-- column, because every row pays for each.
ALTER TABLE executions RENAME COLUMN is_test_run TO flags;

UPDATE executions SET flags = flags + 2 * is_replay + 4 * is_edited
  WHERE is_replay <> 0 OR is_edited <> 0;

ALTER TABLE executions DROP COLUMN is_replay;
ALTER TABLE executions DROP COLUMN is_edited;
