-- +goose Up
-- What was deleted and may come back. Rows of the trash keep what they need with
-- keys of their own, so that the program of the schema before can lose nothing of
-- it: what it may not remove it tries again, until a program that knows the trash
-- has emptied it.

CREATE TABLE trash_image (
	id                INTEGER PRIMARY KEY AUTOINCREMENT,
	repository_id     INTEGER NOT NULL REFERENCES repository (id),
	digest            BLOB NOT NULL,
	media_type        TEXT NOT NULL,
	artifact_type     TEXT NOT NULL,
	config_media_type TEXT NOT NULL,
	subject           BLOB,
	manifest_size     INTEGER NOT NULL,
	image_size        INTEGER NOT NULL,
	usage_bytes       INTEGER NOT NULL,
	pushed_at         INTEGER NOT NULL,
	pulled_at         INTEGER NOT NULL,
	archived          INTEGER NOT NULL,
	archived_at       INTEGER NOT NULL,
	activated_at      INTEGER NOT NULL,
	tags              TEXT NOT NULL,
	deleted_by        TEXT NOT NULL,
	deleted_at        INTEGER NOT NULL,
	until             INTEGER NOT NULL,
	annotations       TEXT NOT NULL,
	manifest          BLOB NOT NULL
);
CREATE INDEX trash_image_digest ON trash_image (repository_id, digest, id);
CREATE INDEX trash_image_subject ON trash_image (repository_id, subject, id) WHERE subject IS NOT NULL;
CREATE INDEX trash_image_until ON trash_image (until, id);

CREATE TABLE trash_blob (
	trash_id INTEGER NOT NULL REFERENCES trash_image (id),
	blob_id  INTEGER NOT NULL REFERENCES blob (id),
	PRIMARY KEY (trash_id, blob_id)
) WITHOUT ROWID;
CREATE INDEX trash_blob_blob ON trash_blob (blob_id);

-- A repository in the trash has no name there, but here. Its content is where it
-- was, below its id.

CREATE TABLE trash_repository (
	repository_id    INTEGER PRIMARY KEY REFERENCES repository (id),
	registry_id      INTEGER NOT NULL REFERENCES registry (id),
	name             TEXT NOT NULL,
	policy           TEXT NOT NULL,
	lifecycle        TEXT NOT NULL,
	lifecycle_set_at INTEGER NOT NULL,
	deleted_by       TEXT NOT NULL,
	deleted_at       INTEGER NOT NULL,
	until            INTEGER NOT NULL
);
CREATE INDEX trash_repository_name ON trash_repository (registry_id, name, deleted_at, repository_id);
CREATE INDEX trash_repository_until ON trash_repository (until, repository_id);

-- A registered image in the trash keeps its image where it is. A service in the
-- trash leaves its resource tags where they are.

CREATE TABLE trash_service (
	service_id  INTEGER PRIMARY KEY,
	registry_id INTEGER NOT NULL REFERENCES registry (id),
	name        TEXT NOT NULL,
	resource_id TEXT NOT NULL,
	power       TEXT NOT NULL,
	scale       INTEGER NOT NULL,
	disabled    INTEGER NOT NULL,
	created_at  INTEGER NOT NULL,
	labels      TEXT NOT NULL,
	deleted_by  TEXT NOT NULL,
	deleted_at  INTEGER NOT NULL,
	until       INTEGER NOT NULL
);
CREATE INDEX trash_service_name ON trash_service (registry_id, name, deleted_at, service_id);
CREATE INDEX trash_service_until ON trash_service (until, service_id);

CREATE TABLE trash_registered (
	id           INTEGER PRIMARY KEY,
	service_id   INTEGER NOT NULL,
	label        TEXT NOT NULL,
	version      INTEGER NOT NULL,
	image_id     INTEGER NOT NULL REFERENCES image (id),
	created_at   INTEGER NOT NULL,
	with_service INTEGER NOT NULL,
	registry_id  INTEGER NOT NULL REFERENCES registry (id),
	service_name TEXT NOT NULL,
	deleted_by   TEXT NOT NULL,
	deleted_at   INTEGER NOT NULL,
	until        INTEGER NOT NULL,
	UNIQUE (service_id, label, version)
);
CREATE INDEX trash_registered_image ON trash_registered (image_id);
CREATE INDEX trash_registered_registry ON trash_registered (registry_id, id);
CREATE INDEX trash_registered_until ON trash_registered (until, id);

INSERT INTO sqlite_sequence (name, seq) VALUES ('trash_image', 99);
UPDATE schema SET version = 8;
