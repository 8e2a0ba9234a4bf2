ALTER TABLE daemon ADD COLUMN asleep_since INTEGER;
CREATE INDEX daemon_asleep ON daemon (asleep_since);
