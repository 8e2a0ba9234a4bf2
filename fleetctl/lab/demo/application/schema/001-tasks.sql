CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    kind VARCHAR(64) NOT NULL,
    done_at BIGINT
);
CREATE TABLE daemon (kind VARCHAR(64) PRIMARY KEY);
INSERT INTO daemon (kind) VALUES ('pull'), ('taskmaster');
