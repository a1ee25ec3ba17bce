-- +goose Up
-- What bytes are encrypted with. blob.domain and the numbers at the end of
-- locations refer to these rows, which are never removed. A program of the schema
-- before would give encrypted bytes to clients, and store new ones in the clear:
-- with the first domain it becomes too old.

CREATE TABLE domain (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	kind     TEXT NOT NULL,
	key_name TEXT NOT NULL,
	UNIQUE (kind, key_name)
);

CREATE TABLE data_key (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	domain_id  INTEGER NOT NULL REFERENCES domain (id),
	wrapped    BLOB NOT NULL,
	created_at INTEGER NOT NULL
);
CREATE INDEX data_key_domain ON data_key (domain_id, id);

INSERT INTO sqlite_sequence (name, seq) VALUES ('domain', 99), ('data_key', 99);
UPDATE schema SET version = 10;
