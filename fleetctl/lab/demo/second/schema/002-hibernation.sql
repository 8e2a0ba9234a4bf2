ALTER TABLE daemon ADD COLUMN asleep_since BIGINT;
CREATE INDEX daemon_asleep ON daemon (asleep_since);
