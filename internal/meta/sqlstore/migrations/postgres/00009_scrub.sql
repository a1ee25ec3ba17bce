-- +goose Up
-- What the bytes of a location that goes are, so that it can be told without a
-- look at the location.

ALTER TABLE garbage ADD COLUMN size BIGINT NOT NULL DEFAULT 0;

-- Who names a location: what a blob store has is looked up here.

CREATE INDEX blob_location ON blob (location) WHERE location <> 'inline:';
CREATE INDEX upload_location ON upload (location) WHERE location <> '';
CREATE INDEX garbage_location ON garbage (location);

-- How far the check in the background has come. A program of the schema before
-- goes on without it.

CREATE TABLE scrub (
	one      BIGINT PRIMARY KEY CHECK (one = 1),
	cursor   TEXT COLLATE "C" NOT NULL,
	began_at BIGINT NOT NULL,
	ended_at BIGINT NOT NULL,
	checked  BIGINT NOT NULL,
	bytes    BIGINT NOT NULL,
	found    BIGINT NOT NULL
);

UPDATE schema SET version = 9;
