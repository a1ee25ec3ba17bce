-- +goose Up
-- What one server of several does at a time, and which servers there are.

CREATE TABLE lease (
	name       TEXT PRIMARY KEY NOT NULL,
	holder     TEXT NOT NULL,
	fence      INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT;

-- The bytes of a small upload, which another server may continue.

ALTER TABLE upload ADD COLUMN tail BLOB NOT NULL DEFAULT x'';

UPDATE schema SET version = 7;
