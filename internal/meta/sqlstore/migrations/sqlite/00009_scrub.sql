-- +goose Up
-- What the bytes of a location that goes are, so that it can be told without a
-- look at the location.

ALTER TABLE garbage ADD COLUMN size INTEGER NOT NULL DEFAULT 0;

-- Who names a location: what a blob store has is looked up here.

CREATE INDEX blob_location ON blob (location) WHERE location <> 'inline:';
CREATE INDEX upload_location ON upload (location) WHERE location <> '';
CREATE INDEX garbage_location ON garbage (location);

-- How far the check in the background has come. A program of the schema before
-- goes on without it.

CREATE TABLE scrub (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	cursor   TEXT NOT NULL,
	began_at INTEGER NOT NULL,
	ended_at INTEGER NOT NULL,
	checked  INTEGER NOT NULL,
	bytes    INTEGER NOT NULL,
	found    INTEGER NOT NULL
);

UPDATE schema SET version = 9;
