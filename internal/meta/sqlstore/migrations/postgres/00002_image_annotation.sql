-- +goose Up
-- Annotations are as long as a manifest may be, and most readers of images
-- have no use for them: they get a table of their own.

CREATE TABLE image_annotation (
	image_id    BIGINT PRIMARY KEY REFERENCES image (id),
	annotations TEXT COLLATE "C" NOT NULL
);
INSERT INTO image_annotation (image_id, annotations) SELECT id, annotations FROM image WHERE annotations <> '';
ALTER TABLE image DROP COLUMN annotations;
UPDATE schema SET version = 2, min_binary = 2;
