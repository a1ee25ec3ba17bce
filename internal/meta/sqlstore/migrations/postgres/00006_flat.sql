-- +goose Up
-- Images are found by status and tags at once.

DROP INDEX image_tagged;
DROP INDEX image_untagged;
DROP INDEX image_archived;
CREATE INDEX image_tagged ON image (repository_id, archived, id) WHERE tagged = 1;
CREATE INDEX image_untagged ON image (repository_id, archived, id) WHERE tagged = 0;

-- And what refers to an image also by its type.

DROP INDEX image_subject;
CREATE INDEX image_subject ON image (repository_id, subject, archived, id) WHERE subject IS NOT NULL;
CREATE INDEX image_subject_type ON image
	(repository_id, subject, (CASE WHEN artifact_type <> '' THEN artifact_type ELSE config_media_type END), archived, id) WHERE subject IS NOT NULL;

-- Unlike SQLite's, an index does not end with the row's id.

DROP INDEX layer_repository;
CREATE INDEX layer_repository ON layer (repository_id, id);

UPDATE schema SET version = 6;
