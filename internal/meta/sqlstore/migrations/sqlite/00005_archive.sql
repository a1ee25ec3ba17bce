-- +goose Up
-- Whether an image is archived stands in its row, which whoever asks reads
-- anyway. The program of the schema before serves archived images like others.

ALTER TABLE image ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN archived_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN activated_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX image_archived ON image (repository_id, id) WHERE archived = 1;

UPDATE schema SET version = 5;
