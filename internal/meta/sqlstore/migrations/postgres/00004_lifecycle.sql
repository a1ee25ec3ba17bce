-- +goose Up
-- Whatever removes a repository takes these rows along, so that the program of
-- the schema before can serve this one.

CREATE TABLE lifecycle_policy (
	repository_id BIGINT PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
	document      TEXT COLLATE "C" NOT NULL,
	set_at        BIGINT NOT NULL,
	evaluated_at  BIGINT NOT NULL,
	due_at        BIGINT NOT NULL
);
CREATE INDEX lifecycle_policy_due ON lifecycle_policy (due_at, repository_id);

CREATE TABLE lifecycle_preview (
	repository_id BIGINT PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
	attempt       BIGINT NOT NULL,
	document      TEXT COLLATE "C" NOT NULL,
	status        BIGINT NOT NULL,
	started_at    BIGINT NOT NULL,
	expiring      BIGINT NOT NULL,
	transitioned  BIGINT NOT NULL
);
CREATE INDEX lifecycle_preview_started ON lifecycle_preview (started_at, repository_id) WHERE status <> 4;

CREATE TABLE lifecycle_preview_result (
	repository_id BIGINT NOT NULL REFERENCES lifecycle_preview (repository_id) ON DELETE CASCADE,
	position      BIGINT NOT NULL,
	digest        BYTEA NOT NULL,
	tagged        BIGINT NOT NULL,
	tags          TEXT COLLATE "C" NOT NULL,
	pushed_at     BIGINT NOT NULL,
	priority      BIGINT NOT NULL,
	transition    BIGINT NOT NULL,
	archived      BIGINT NOT NULL,
	PRIMARY KEY (repository_id, position),
	UNIQUE (repository_id, digest)
);
CREATE INDEX lifecycle_preview_result_tagged ON lifecycle_preview_result (repository_id, tagged, position);

UPDATE schema SET version = 4;
