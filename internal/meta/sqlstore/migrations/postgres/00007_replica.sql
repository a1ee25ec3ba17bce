-- +goose Up
-- What one server of several does at a time, and which servers there are.

CREATE TABLE lease (
	name       TEXT COLLATE "C" PRIMARY KEY,
	holder     TEXT COLLATE "C" NOT NULL,
	fence      BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);

-- The bytes of a small upload, which another server may continue.

ALTER TABLE upload ADD COLUMN tail BYTEA NOT NULL DEFAULT '';

UPDATE schema SET version = 7;
