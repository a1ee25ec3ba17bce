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

-- When an image is deleted SQLite looks for tags of it. In an index that has not
-- all columns it does not look, but in all tags of the repository.

DROP INDEX tag_image;
CREATE INDEX tag_image ON tag (image_id, name, updated_at);

UPDATE schema SET version = 6;
