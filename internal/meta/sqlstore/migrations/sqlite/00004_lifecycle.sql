-- +goose Up
-- Whatever removes a repository takes these rows along, so that the program of
-- the schema before can serve this one.

CREATE TABLE lifecycle_policy (
	repository_id INTEGER PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
	document      TEXT NOT NULL,
	set_at        INTEGER NOT NULL,
	evaluated_at  INTEGER NOT NULL,
	due_at        INTEGER NOT NULL
);
CREATE INDEX lifecycle_policy_due ON lifecycle_policy (due_at, repository_id);

CREATE TABLE lifecycle_preview (
	repository_id INTEGER PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
	attempt       INTEGER NOT NULL,
	document      TEXT NOT NULL,
	status        INTEGER NOT NULL,
	started_at    INTEGER NOT NULL,
	expiring      INTEGER NOT NULL,
	transitioned  INTEGER NOT NULL
);
CREATE INDEX lifecycle_preview_started ON lifecycle_preview (started_at, repository_id) WHERE status <> 4;

CREATE TABLE lifecycle_preview_result (
	repository_id INTEGER NOT NULL REFERENCES lifecycle_preview (repository_id) ON DELETE CASCADE,
	position      INTEGER NOT NULL,
	digest        BLOB NOT NULL,
	tagged        INTEGER NOT NULL,
	tags          TEXT NOT NULL,
	pushed_at     INTEGER NOT NULL,
	priority      INTEGER NOT NULL,
	transition    INTEGER NOT NULL,
	archived      INTEGER NOT NULL,
	PRIMARY KEY (repository_id, position),
	UNIQUE (repository_id, digest)
) WITHOUT ROWID;
CREATE INDEX lifecycle_preview_result_tagged ON lifecycle_preview_result (repository_id, tagged, position);

UPDATE schema SET version = 4;
