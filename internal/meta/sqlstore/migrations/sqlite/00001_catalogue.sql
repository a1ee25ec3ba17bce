-- +goose Up
-- Times are milliseconds since 1970 in UTC. Digests are an algorithm byte and
-- the raw hash. Ids start above 1, because SQLite plans a statement anew when a
-- compared parameter changes to or from 0 or 1.

CREATE TABLE schema (
	one        INTEGER PRIMARY KEY CHECK (one = 1),
	version    INTEGER NOT NULL,
	min_binary INTEGER NOT NULL
);
INSERT INTO schema VALUES (1, 1, 1);

CREATE TABLE store (
	one        INTEGER PRIMARY KEY CHECK (one = 1),
	id         TEXT NOT NULL,
	generation INTEGER NOT NULL
);

CREATE TABLE secret (
	purpose TEXT PRIMARY KEY,
	value   BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE registry (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	account      TEXT NOT NULL,
	region       TEXT NOT NULL,
	space        INTEGER NOT NULL,
	repositories INTEGER NOT NULL DEFAULT 0,
	UNIQUE (account, region, space)
);

CREATE TABLE repository (
	id                 INTEGER PRIMARY KEY AUTOINCREMENT,
	registry_id        INTEGER NOT NULL REFERENCES registry (id),
	name               TEXT NOT NULL,
	mutability         TEXT NOT NULL,
	mutability_filters TEXT NOT NULL,
	scan_on_push       INTEGER NOT NULL,
	encryption_type    TEXT NOT NULL,
	kms_key            TEXT NOT NULL,
	created_at         INTEGER NOT NULL
);
CREATE INDEX repository_registry ON repository (registry_id);

CREATE TABLE repository_name (
	registry_id   INTEGER NOT NULL REFERENCES registry (id),
	name          TEXT NOT NULL,
	repository_id INTEGER NOT NULL UNIQUE REFERENCES repository (id),
	PRIMARY KEY (registry_id, name)
) WITHOUT ROWID;

CREATE TABLE image (
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
	annotations       TEXT NOT NULL,
	pushed_at         INTEGER NOT NULL,
	tagged            INTEGER NOT NULL DEFAULT 0,
	UNIQUE (repository_id, digest),
	UNIQUE (repository_id, id)
);
CREATE INDEX image_tagged ON image (repository_id, id) WHERE tagged = 1;
CREATE INDEX image_untagged ON image (repository_id, id) WHERE tagged = 0;
CREATE INDEX image_subject ON image (repository_id, subject, id) WHERE subject IS NOT NULL;

CREATE TABLE manifest (
	image_id INTEGER PRIMARY KEY REFERENCES image (id),
	bytes    BLOB NOT NULL
);

CREATE TABLE image_pull (
	image_id  INTEGER PRIMARY KEY REFERENCES image (id),
	pulled_at INTEGER NOT NULL
);

CREATE TABLE image_child (
	parent_id INTEGER NOT NULL REFERENCES image (id),
	child_id  INTEGER NOT NULL REFERENCES image (id),
	PRIMARY KEY (parent_id, child_id)
) WITHOUT ROWID;
CREATE INDEX image_child_child ON image_child (child_id);

CREATE TABLE tag (
	repository_id INTEGER NOT NULL,
	name          TEXT NOT NULL,
	image_id      INTEGER NOT NULL,
	updated_at    INTEGER NOT NULL,
	PRIMARY KEY (repository_id, name),
	FOREIGN KEY (repository_id, image_id) REFERENCES image (repository_id, id)
) WITHOUT ROWID;
CREATE INDEX tag_image ON tag (image_id, name);

CREATE TABLE tag_history (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	repository_id INTEGER NOT NULL REFERENCES repository (id),
	name          TEXT NOT NULL,
	old_digest    BLOB,
	new_digest    BLOB,
	changed_by    TEXT NOT NULL,
	changed_at    INTEGER NOT NULL
);
CREATE INDEX tag_history_tag ON tag_history (repository_id, name, id);

CREATE TABLE blob (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	domain        INTEGER NOT NULL,
	digest        BLOB NOT NULL,
	size          INTEGER NOT NULL,
	location      TEXT NOT NULL,
	state         INTEGER NOT NULL,
	storage_class TEXT NOT NULL DEFAULT '',
	key_id        TEXT NOT NULL DEFAULT '',
	verified_at   INTEGER NOT NULL DEFAULT 0,
	touched_at    INTEGER NOT NULL,
	UNIQUE (domain, digest)
);
CREATE INDEX blob_suspect ON blob (id) WHERE state <> 1;

CREATE TABLE blob_bytes (
	blob_id INTEGER PRIMARY KEY REFERENCES blob (id),
	bytes   BLOB NOT NULL
);

CREATE TABLE layer (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	repository_id INTEGER NOT NULL REFERENCES repository (id),
	blob_id       INTEGER NOT NULL REFERENCES blob (id),
	digest        BLOB NOT NULL,
	touched_at    INTEGER NOT NULL,
	UNIQUE (digest, repository_id)
);
CREATE INDEX layer_repository ON layer (repository_id);
CREATE INDEX layer_blob ON layer (blob_id);

CREATE TABLE image_layer (
	image_id INTEGER NOT NULL REFERENCES image (id),
	layer_id INTEGER NOT NULL REFERENCES layer (id),
	PRIMARY KEY (image_id, layer_id)
) WITHOUT ROWID;
CREATE INDEX image_layer_layer ON image_layer (layer_id);

CREATE TABLE upload (
	id            TEXT PRIMARY KEY,
	repository_id INTEGER NOT NULL REFERENCES repository (id),
	location      TEXT NOT NULL,
	received      INTEGER NOT NULL,
	hash_state    BLOB NOT NULL,
	blob_state    BLOB NOT NULL,
	boot_id       TEXT NOT NULL,
	parts         INTEGER NOT NULL,
	small_part    INTEGER NOT NULL,
	fence         INTEGER NOT NULL,
	created_at    INTEGER NOT NULL,
	expires_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX upload_repository ON upload (repository_id);
CREATE INDEX upload_expires ON upload (expires_at);

CREATE TABLE garbage (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	location     TEXT NOT NULL,
	remove_after INTEGER NOT NULL
);
CREATE INDEX garbage_due ON garbage (remove_after, id);

CREATE TABLE review (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	subject INTEGER NOT NULL,
	of_id   INTEGER NOT NULL,
	due     INTEGER NOT NULL
);
CREATE INDEX review_due ON review (due, id);
CREATE INDEX review_of ON review (of_id, subject, due);

CREATE TABLE usage_delta (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	repository_id INTEGER NOT NULL REFERENCES repository (id),
	images        INTEGER NOT NULL,
	bytes         INTEGER NOT NULL
);
CREATE INDEX usage_delta_repository ON usage_delta (repository_id);

CREATE TABLE repository_usage (
	repository_id INTEGER PRIMARY KEY REFERENCES repository (id),
	images        INTEGER NOT NULL,
	bytes         INTEGER NOT NULL
);

CREATE TABLE service (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	registry_id INTEGER NOT NULL REFERENCES registry (id),
	name        TEXT NOT NULL,
	resource_id TEXT NOT NULL,
	power       TEXT NOT NULL,
	scale       INTEGER NOT NULL,
	disabled    INTEGER NOT NULL,
	created_at  INTEGER NOT NULL,
	UNIQUE (registry_id, name)
);

CREATE TABLE service_label (
	service_id INTEGER NOT NULL REFERENCES service (id),
	label      TEXT NOT NULL,
	version    INTEGER NOT NULL,
	PRIMARY KEY (service_id, label)
) WITHOUT ROWID;

CREATE TABLE registered_image (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	service_id INTEGER NOT NULL REFERENCES service (id),
	label      TEXT NOT NULL,
	version    INTEGER NOT NULL,
	image_id   INTEGER NOT NULL REFERENCES image (id),
	created_at INTEGER NOT NULL,
	UNIQUE (service_id, label, version)
);
CREATE INDEX registered_image_newest ON registered_image (service_id, id);
CREATE INDEX registered_image_image ON registered_image (image_id);

CREATE TABLE resource_tag (
	kind        INTEGER NOT NULL,
	resource_id INTEGER NOT NULL,
	key         TEXT NOT NULL,
	value       TEXT NOT NULL,
	PRIMARY KEY (kind, resource_id, key)
) WITHOUT ROWID;

INSERT INTO sqlite_sequence (name, seq)
VALUES ('registry', 99), ('repository', 99), ('image', 99), ('blob', 99), ('layer', 99), ('service', 99), ('registered_image', 99);
